import type { ClientRegistration, TokenKey } from "@secure-mcp/oauth-core"

const prefix = "registered-client:"

/**
 * Where a registered client is stored among the tokens: under its issuer, in no project and for nobody, because it
 * serves every login there. The fingerprint of a token has no colon.
 */
export const registeredClientKey = ({ fingerprint, issuer }: ClientRegistration): TokenKey => ({
  projectId: "",
  configId: "",
  serverName: issuer,
  personal: true,
  fingerprint: prefix + fingerprint
})

/** Whether what is stored under a key is a registered client and no token (`StoredRegisteredClients`). */
export const isRegisteredClientKey = ({ fingerprint }: TokenKey): boolean => fingerprint.startsWith(prefix)
