import * as Effect from "effect/Effect"
import type { HttpBridge } from "../bridge/HttpBridge.ts"
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
  handle: ({ body, caller, request, response }) =>
    body.rest === undefined
      ? bridge.handle(request, response, body.head, caller.subject)
      : Effect.fail(
          new UpstreamFailure({
            serverName,
            reason: "RequestTooLarge",
            problem: `${server} takes messages of up to 4 MiB`
          })
        )
})
