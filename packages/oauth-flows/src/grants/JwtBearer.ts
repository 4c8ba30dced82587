import { isCallerToken } from "@secure-mcp/oauth-core/internal"
import * as Effect from "effect/Effect"
import { Flow } from "./Flow.ts"
import { readSecret } from "./SecretFile.ts"
import { exchangeForAssertion } from "./TokenExchange.ts"

/**
 * A JWT as authorization grant (RFC 7523 §2.1): the configured one, or one obtained from the identity provider first
 * (enterprise-managed authorization). Each attempt uses a new one where possible, because a server may accept an
 * assertion only once.
 */
export const jwtBearer: Flow = Flow.tokenRequest({
  grantType: "jwt_bearer",
  keys: {},
  parameters: Effect.fnUntraced(function* ({ request, target }) {
    const { assertion, identityProvider, provider } = request.config
    return {
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      assertion:
        identityProvider === undefined
          ? yield* readSecret("assertion", assertion, request)
          : yield* exchangeForAssertion(request, target, identityProvider),
      // Entra takes the token of a person for an assertion only with this (its "on-behalf-of flow").
      requested_token_use: provider === "entra" && isCallerToken(assertion) ? "on_behalf_of" : undefined,
      resource: target.resource
    }
  })
})
