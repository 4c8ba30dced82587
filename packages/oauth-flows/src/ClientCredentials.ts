import * as Effect from "effect/Effect"
import { Circuit } from "./Circuit.ts"
import type { Flow } from "./Flow.ts"
import { ResolvedClients } from "./ResolvedClient.ts"
import { retryTransient } from "./Retry.ts"
import { requestToken } from "./TokenRequest.ts"

/** The client credentials grant (RFC 6749 §4.4). Asking again is harmless, so a passing failure is retried. */
export const clientCredentials: Flow = Effect.fn("ClientCredentials.acquire")(function* (request) {
  const { config } = request
  const circuit = yield* Circuit
  const resolved = yield* (yield* ResolvedClients).resolve(request)
  const token = requestToken(request, resolved, {
    grant_type: "client_credentials",
    scope: resolved.scope,
    audience: config.audience,
    organization: config.organization,
    resource: resolved.resource
  })
  return yield* circuit.protect(retryTransient(token), resolved.tokenEndpoint, config)
})
