import * as Effect from "effect/Effect"
import { Circuit } from "./Circuit.ts"
import { tokenEndpoint } from "./Endpoint.ts"
import type { Flow } from "./Flow.ts"
import { retryTransient } from "./Retry.ts"
import { requestToken } from "./TokenRequest.ts"

/** The client credentials grant (RFC 6749 §4.4). Asking again is harmless, so a passing failure is retried. */
export const clientCredentials: Flow = Effect.fn("ClientCredentials.acquire")(function* (request) {
  const { config } = request
  const circuit = yield* Circuit
  const endpoint = yield* tokenEndpoint(config)
  const token = requestToken(request, endpoint, {
    grant_type: "client_credentials",
    scope: config.scope,
    audience: config.audience,
    organization: config.organization,
    resource: config.resource
  })
  return yield* circuit.protect(retryTransient(token), endpoint, config)
})
