import * as Effect from "effect/Effect"
import type { Flow } from "./Flow.ts"
import { readSecret } from "./SecretFile.ts"
import { machineGrant } from "./MachineGrant.ts"
import { exchangeForAssertion } from "./TokenExchange.ts"

/**
 * A JWT as authorization grant (RFC 7523 §2.1): one that is given, or one that is first obtained from the identity
 * provider (enterprise-managed authorization). Each attempt has a new one where that is possible, because a server may
 * take an assertion only once.
 */
export const jwtBearer: Flow = machineGrant(
  Effect.fnUntraced(function* (request, target) {
    const { assertion, identityProvider } = request.config
    return {
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      assertion:
        identityProvider === undefined
          ? yield* readSecret("assertion", assertion)
          : yield* exchangeForAssertion(request, target, identityProvider),
      resource: target.resource
    }
  })
)
