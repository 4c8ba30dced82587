import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { entryById, idTextAt, type IdText, type JsonRpcMessage } from "../jsonrpc/JsonRpc.ts"

/** A request of the client that has no answer yet. */
export interface RequestUnderWay {
  readonly method: string
  /** Closing the connection cancels a request of the stateless revision. */
  readonly isStateless: boolean
  /** Done when the client has its answer or needs none any more. */
  readonly settled: Deferred.Deferred<void>
}

/** The requests of a client that have no answer yet. What is settled is taken out, so each is answered once. */
export interface RequestsUnderWay {
  readonly all: () => ReadonlyMap<IdText, RequestUnderWay>
  readonly add: (id: IdText, request: RequestUnderWay) => void
  /** The id and the request that a message of either side means by the id at a path. */
  readonly find: (
    message: JsonRpcMessage,
    path?: ReadonlyArray<string>
  ) => readonly [IdText, RequestUnderWay] | undefined
  /** Takes a request out and runs the effect that answers it. Does nothing if it is not under way any more. */
  readonly settle: (id: IdText, request: RequestUnderWay, answer: Effect.Effect<void>) => Effect.Effect<void>
}

export const makeRequestsUnderWay = (): RequestsUnderWay => {
  const requests = new Map<IdText, RequestUnderWay>()
  return {
    all: () => requests,
    add: (id, request) => requests.set(id, request),
    find: (message, path) => entryById(requests, idTextAt(message, path)),
    settle: (id, request, answer) =>
      Effect.suspend(() => {
        if (requests.get(id) !== request) return Effect.void
        requests.delete(id)
        return Effect.ensuring(answer, Deferred.succeed(request.settled, undefined))
      })
  }
}
