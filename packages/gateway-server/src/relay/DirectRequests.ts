import * as Effect from "effect/Effect"
import type { UpstreamFailed } from "../fetch/Fetch.ts"
import type { IdText, JsonRpcMessage } from "../jsonrpc/JsonRpc.ts"
import type { Output } from "./Output.ts"
import type { RequestsUnderWay, RequestUnderWay } from "./RequestsUnderWay.ts"
import type { Room } from "./Room.ts"
import type { Deliver, ServerSession } from "./session/ServerSession.ts"

/**
 * Relays the common case without a fiber, for speed: a request that can be sent at once, whose answer comes whole and can be
 * written at once.
 *
 * Whatever else there is to do (wait for a turn, for room or for a token, read a stream, begin another session) is for the
 * fibers of `StdioRelay`, which begin anew, or go on with what is left to do.
 *
 * @param options.goOn runs what is left to do for a request, and then gives its room back
 * @returns a function that gives false if nothing was sent
 */
export const makeDirectRequests = (options: {
  readonly session: ServerSession
  readonly underWay: RequestsUnderWay
  readonly output: Output
  readonly deliver: Deliver
  readonly room: Room
  /** Called for each answer that is written. */
  readonly onAnswer: () => void
  readonly goOn: (request: RequestUnderWay, size: number, rest: Effect.Effect<void, UpstreamFailed>) => void
}) => {
  const { deliver, goOn, onAnswer, output, room, session, underWay } = options

  return (id: IdText, message: JsonRpcMessage): boolean => {
    const size = room.sizeOf(message.text)
    if (session.postNow === undefined || !room.takeNow(size)) return false
    const request = underWay.add(id, message)
    let hasEnded = false
    const sent = session.postNow(message, id, (end) => {
      hasEnded = true
      request.abort = undefined
      if (!underWay.has(request)) {
        // Another stream has brought the answer.
        sent?.abort()
      } else {
        if (Effect.isEffect(end)) return goOn(request, size, end)
        if (!output.writeNow(end.text)) return goOn(request, size, deliver(end))
        onAnswer()
        underWay.settleNow(request)
      }
      room.release(size)
    })
    if (sent === undefined) {
      underWay.settleNow(request)
      room.release(size)
      return false
    }
    // Not written where it is assigned (see `ForwardedAnswer`).
    const abort = () => {
      sent.abort()
      room.release(size)
    }
    if (!hasEnded) request.abort = abort
    return true
  }
}
