import * as Effect from "effect/Effect"
import type { HttpBridge } from "../bridge/HttpBridge.ts"
import { personOf } from "../callers/Person.ts"
import { sendJson } from "../jsonrpc/HttpAnswer.ts"
import { errorCodes, errorResponse } from "../jsonrpc/JsonRpc.ts"
import { type Upstream, UpstreamFailure } from "./Upstream.ts"

/**
 * Makes the upstream in front of a bridge, which takes only bodies that are complete.
 *
 * @param server what it is, with the article
 */
export const makeBridgedUpstream = <E extends Effect.Error<ReturnType<Upstream["handle"]>>>(
  serverName: string,
  server: string,
  bridge: HttpBridge<E>,
  tokenRequest: Upstream["tokenRequest"]
): Upstream => ({
  tokenRequest,
  handleNow: ({ body, caller, ownHeaders, request, response }, onEnd) =>
    body.rest === undefined &&
    body.arriving === undefined &&
    bridge.handleNow(request, { response, ownHeaders }, body.head, personOf(caller), () => onEnd(undefined)),
  handle: ({ body, caller, request, response }) => {
    if (body.rest === undefined) return bridge.handle(request, response, body.head, personOf(caller))
    return body.restBecause === "TooLong"
      ? Effect.fail(
          new UpstreamFailure({
            serverName,
            reason: "RequestTooLarge",
            problem: `${server} takes messages of up to 4 MiB`
          })
        )
      : Effect.sync(() => sendJson(response, 503, noRoom, { "retry-after": String(retrySeconds) }))
  }
})

const noRoom = errorResponse(
  undefined,
  errorCodes.serverUnavailable,
  "The gateway has too many request bodies at this time (`gateway.limits.buffered_bytes`). Send the request again"
)

/** When a client may send its request again: most requests end within a second. */
const retrySeconds = 1
