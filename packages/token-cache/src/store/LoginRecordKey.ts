import type { TokenKey } from "@secure-mcp/oauth-core"
import { isRegisteredClientKey } from "./RegisteredClientKey.ts"

const prefix = "login:"

/** Where a record of a login is stored among the tokens: in no project and for nobody. The fingerprint of a token has no colon. */
export const loginRecordKey = (id: string): TokenKey => ({
  projectId: "",
  configId: "",
  serverName: "",
  personal: true,
  fingerprint: prefix + id
})

/** Whether what is stored under a key is a token, and not a registered client or a record of a login. */
export const isTokenKey = (key: TokenKey): boolean =>
  !isRegisteredClientKey(key) && !key.fingerprint.startsWith(prefix)
