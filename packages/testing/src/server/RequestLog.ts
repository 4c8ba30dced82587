import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { RecordedRequest } from "./RecordedRequest.ts"

/** What came in, as data to look at and as conditions to wait for. */
export interface RequestLog {
  readonly requests: Effect.Effect<ReadonlyArray<RecordedRequest>>
  readonly requestsTo: (path: string) => Effect.Effect<ReadonlyArray<RecordedRequest>>
  /** Completes once `count` requests (to `path`, if given) have been read completely; gives all there are. */
  readonly received: (count: number, path?: string) => Effect.Effect<ReadonlyArray<RecordedRequest>>
  /** Completes once the peer has hung up on `count` requests before they were answered. */
  readonly aborted: (count: number) => Effect.Effect<void>
}

export interface RequestLogWriter extends RequestLog {
  readonly addRequest: (request: RecordedRequest) => Effect.Effect<void>
  readonly addAbort: Effect.Effect<void>
}

interface State {
  readonly requests: ReadonlyArray<RecordedRequest>
  readonly aborts: number
}

export const makeRequestLog: Effect.Effect<RequestLogWriter> = Effect.gen(function* () {
  const state = yield* SubscriptionRef.make<State>({ requests: [], aborts: 0 })
  const until = (condition: (state: State) => boolean) =>
    SubscriptionRef.changes(state).pipe(
      Stream.filter(condition),
      Stream.runHead,
      // The changes never end, so there is always a head.
      Effect.map(Option.getOrThrow)
    )
  const to = (path: string | undefined, { requests }: State) =>
    path === undefined ? requests : requests.filter((request) => request.path === path)

  return {
    requests: SubscriptionRef.get(state).pipe(Effect.map(({ requests }) => requests)),
    requestsTo: (path) => SubscriptionRef.get(state).pipe(Effect.map((current) => to(path, current))),
    received: (count, path) =>
      until((current) => to(path, current).length >= count).pipe(Effect.map((current) => to(path, current))),
    aborted: (count) => until(({ aborts }) => aborts >= count).pipe(Effect.asVoid),
    addRequest: (request) =>
      SubscriptionRef.update(state, (current) => ({ ...current, requests: [...current.requests, request] })),
    addAbort: SubscriptionRef.update(state, (current) => ({ ...current, aborts: current.aborts + 1 }))
  }
})
