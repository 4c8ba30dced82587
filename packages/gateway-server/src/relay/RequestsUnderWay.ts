import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { idTextAt, type IdText, type JsonRpcMessage } from "../jsonrpc/JsonRpc.ts"
import { entryById } from "../jsonrpc/MatchingIds.ts"
import { declaredVersion } from "../jsonrpc/MirroredHeaders.ts"

/** A request of the client that has no answer yet. */
export interface RequestUnderWay {
  readonly id: IdText
  readonly method: string
  /** Closing the connection cancels a request of the stateless revision. */
  readonly isStateless: boolean
  /** Done when the client has its answer or needs none any more. */
  readonly settled: Deferred.Deferred<void>
  /** Closes the connection of a request that was sent without a fiber. */
  abort: (() => void) | undefined
}

/** The requests of a client that have no answer yet. What is settled is taken out, so each is answered once. */
export interface RequestsUnderWay {
  readonly all: () => ReadonlyMap<IdText, RequestUnderWay>
  readonly add: (id: IdText, message: JsonRpcMessage) => RequestUnderWay
  /** The request that a message of either side means by the id at a path. */
  readonly find: (message: JsonRpcMessage, path?: ReadonlyArray<string>) => RequestUnderWay | undefined
  readonly has: (request: RequestUnderWay) => boolean
  /** Takes a request out that is answered, or was not sent. */
  readonly settleNow: (request: RequestUnderWay) => void
  /** Takes a request out and runs the effect that answers it. Does nothing if it is not under way any more. */
  readonly settle: (request: RequestUnderWay, answer: Effect.Effect<void>) => Effect.Effect<void>
}

export const makeRequestsUnderWay = (): RequestsUnderWay => {
  const requests = new Map<IdText, RequestUnderWay>()
  const has = (request: RequestUnderWay) => requests.get(request.id) === request
  return {
    all: () => requests,
    add: (id, { json }) => {
      const request: RequestUnderWay = {
        id,
        method: String(json["method"]),
        isStateless: declaredVersion(json) !== undefined,
        settled: Deferred.makeUnsafe(),
        abort: undefined
      }
      requests.set(id, request)
      return request
    },
    find: (message, path) => entryById(requests, idTextAt(message, path))?.[1],
    has,
    settleNow: (request) => {
      if (!has(request)) return
      requests.delete(request.id)
      Deferred.doneUnsafe(request.settled, Effect.void)
    },
    settle: (request, answer) =>
      Effect.suspend(() => {
        if (!has(request)) return Effect.void
        requests.delete(request.id)
        return Effect.ensuring(answer, Deferred.succeed(request.settled, undefined))
      })
  }
}
