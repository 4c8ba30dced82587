import { isPersonalGrant } from "@secure-mcp/oauth-core"
import { TokenStore } from "@secure-mcp/token-cache"
import type { GatewayConfig } from "./config/GatewayConfig.ts"

/**
 * Where the tokens of a configuration are kept. Unless it says otherwise, what a person granted outlives the
 * process, encrypted, and nothing else is written to disk.
 */
export const gatewayStore = ({ servers, store }: GatewayConfig) => {
  const files = TokenStore.layerFileSystem({
    directory: store.directory,
    previousKeys: store.previousEncryptionKeys,
    ...(store.encryptionKey === undefined ? {} : { encryptionKey: store.encryptionKey })
  })
  if (store.type === "file") return files
  const isNeeded = servers.some(({ oauth }) => oauth !== undefined && isPersonalGrant(oauth.grantType))
  return store.type === undefined && isNeeded ? TokenStore.layerPersonGrants(files) : TokenStore.layerMemory
}
