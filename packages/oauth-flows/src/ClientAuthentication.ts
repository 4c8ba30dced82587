import { Misconfigured } from "@secure-mcp/oauth-core"
import type { OAuthConfig, OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Redacted from "effect/Redacted"
import { formEncode, type FormParameters } from "./Form.ts"

/** What a request to an endpoint carries so that the authorization server knows the client. */
export interface ClientAuthentication {
  readonly headers: Readonly<Record<string, Redacted.Redacted>>
  readonly parameters: FormParameters
}

/**
 * The client authentication that a configuration asks for (RFC 6749 §2.3).
 *
 * - with a secret: client_secret_basic, or client_secret_post if `use_basic_auth` is off; never both (§2.3.1)
 * - without one: `client_id` alone, for a client that the TLS connection authenticates (RFC 8705 §2) and for a
 *   public client (§3.2.1)
 */
export const authenticateClient = (
  config: OAuthConfig
): Effect.Effect<ClientAuthentication, OAuthErrorReason> => {
  const { clientId, clientSecret } = config
  if (clientId === undefined) {
    return Effect.fail(new Misconfigured({ problem: "`client_id` is not configured" }))
  }
  if (clientSecret === undefined) return Effect.succeed(identified(clientId))
  return Effect.succeed(config.useBasicAuth ? basic(clientId, clientSecret) : post(clientId, clientSecret))
}

/** client_secret_basic: both are form-urlencoded first, so that a colon in the id is not taken for the separator. */
const basic = (clientId: string, clientSecret: Redacted.Redacted): ClientAuthentication => {
  const credentials = Base64.encode(`${formEncode(clientId)}:${formEncode(Redacted.value(clientSecret))}`)
  return { headers: { authorization: Redacted.make(`Basic ${credentials}`) }, parameters: {} }
}

const post = (clientId: string, clientSecret: Redacted.Redacted): ClientAuthentication => ({
  headers: {},
  parameters: { client_id: clientId, client_secret: clientSecret }
})

const identified = (clientId: string): ClientAuthentication => ({
  headers: {},
  parameters: { client_id: clientId }
})
