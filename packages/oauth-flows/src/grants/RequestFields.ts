import type { OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import { Circuit } from "../endpoint/Circuit.ts"
import { EndpointClient, type EndpointMessage } from "../endpoint/EndpointClient.ts"
import type { ResponseFields } from "../endpoint/ResponseBody.ts"
import { retryTransient } from "../endpoint/Retry.ts"
import { readSuccessFields } from "../endpoint/SuccessResponse.ts"

/**
 * The fields of the answer to a message that may be sent twice: with the retries and the circuit breaker of the built-in
 * grants. For a grant whose endpoint is none of OAuth.
 */
export const requestFields = (
  message: EndpointMessage
): Effect.Effect<ResponseFields, OAuthErrorReason, EndpointClient | Circuit> =>
  Effect.gen(function* () {
    const client = yield* EndpointClient
    const circuit = yield* Circuit
    const attempt = client.send(message, readSuccessFields(message.endpoint))
    return yield* circuit.protect(retryTransient(attempt), message.endpoint, message.request)
  })
