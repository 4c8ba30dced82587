import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import { deliverMessages, fetchOk, mediaType, readEvents, readText } from "../../fetch/AnswerBody.ts"
import { type Fetch, type FetchResponse, UpstreamFailed } from "../../fetch/Fetch.ts"
import { pauseAfterEnd, pauseAfterFailure } from "./Pauses.ts"
import type { Deliver } from "./ServerSession.ts"
import { advance, resumed, resumptionHeaders, type StreamPosition } from "./StreamPosition.ts"

/** Where a stream comes from, and where its messages go. */
export interface StreamSource {
  readonly fetch: Fetch
  /** The longest message. */
  readonly messageBytes: number
  /** The headers that name the session. */
  readonly headers: Record<string, string>
  readonly deliver: Deliver
}

/** Reads the messages of a response, be it JSON or a stream of events. */
export const readMessages = (
  { deliver, messageBytes }: Pick<StreamSource, "deliver" | "messageBytes">,
  response: FetchResponse,
  position: Ref.Ref<StreamPosition>
): Effect.Effect<void, UpstreamFailed> => {
  const type = mediaType(response)
  if (type === "application/json")
    return Effect.flatMap(readText(response, messageBytes), (text) => deliverMessages(text, deliver))
  if (type === "text/event-stream")
    return readEvents(response, messageBytes, (event) =>
      Effect.flatMap(
        Ref.modify(position, (before) => advance(before, event)),
        (text) => (text === undefined ? Effect.void : deliverMessages(text, deliver))
      )
    )
  return Effect.fail(
    new UpstreamFailed({
      kind: "Unusable",
      problem: `MCP server answered with HTTP status ${response.status} and content type ${type ?? "(none)"}`
    })
  )
}

/** Opens a stream with a GET, where the last connection ended, and reads it to its end. */
export const readStream = Effect.fnUntraced(function* (
  source: StreamSource,
  position: Ref.Ref<StreamPosition>,
  onOpen: Effect.Effect<void> = Effect.void
) {
  const headers = {
    accept: "text/event-stream",
    ...source.headers,
    ...resumptionHeaders(yield* Ref.get(position))
  }
  const response = yield* fetchOk(source.fetch, { method: "GET", headers })
  yield* Ref.update(position, resumed)
  yield* onOpen
  yield* readMessages(source, response, position)
}, Effect.scoped)

/** How the last connections of a stream ended. */
interface Endings {
  /** Why the last one broke; undefined if it ended in order. */
  readonly failure: UpstreamFailed | undefined
  /** How many in a row broke or were refused, and how many brought nothing. */
  readonly failures: number
  readonly empty: number
}

/** Failures in a row before an answer is given up: about two minutes of them. */
const maxFailures = 10

/** A server that has the answer fetched by polling ends many streams that bring nothing. */
const maxEmptyStreams = 100

const afterEnding = (before: Endings, failure: UpstreamFailed | undefined, isEmpty: boolean): Endings => ({
  failure,
  failures: failure === undefined ? 0 : isEmpty ? before.failures + 1 : 1,
  empty: isEmpty ? before.empty + 1 : 0
})

/**
 * Reads the stream of an answer on, after its connection has ended or broken, until `isDone`. Fails as the last
 * connection did if the events have no ids, and after several tries in a row that brought nothing.
 *
 * @param failure why the first connection broke; undefined if it ended in order
 */
export const resumeAnswer = Effect.fnUntraced(function* (
  source: StreamSource,
  position: Ref.Ref<StreamPosition>,
  failure: UpstreamFailed | undefined,
  isDone: Effect.Effect<boolean>
): Effect.fn.Return<void, UpstreamFailed> {
  const endings = yield* Ref.make<Endings>({ failure, failures: failure === undefined ? 0 : 1, empty: 0 })

  const step = Effect.gen(function* () {
    const before = yield* Ref.get(endings)
    const { events, lastEventId, retry } = yield* Ref.get(position)
    if (lastEventId === undefined || isHopeless(before)) return yield* lastFailure(before, failure)
    yield* Effect.sleep(
      before.failure === undefined
        ? pauseAfterEnd(retry, before.empty)
        : pauseAfterFailure(retry, before.failures - 1, before.failure, yield* Clock.currentTimeMillis)
    )
    const ended = yield* failureOf(readStream(source, position))
    const isEmpty = (yield* Ref.get(position)).events === events
    yield* Ref.update(endings, (last) => afterEnding(last, ended, isEmpty))
    return yield* isDone
  })

  if (!(yield* isDone)) yield* Effect.repeat(step, { until: (done) => done })
})

/** A refused resumption says nothing about the request: that one was accepted. */
const lastFailure = (last: Endings, first: UpstreamFailed | undefined): UpstreamFailed =>
  last.failure === undefined || last.failure === first
    ? (first ?? hungUp)
    : new UpstreamFailed({
        kind: "Broken",
        problem: `The answer of the MCP server broke off and could not be resumed: ${last.failure.problem}`
      })

const isHopeless = ({ empty, failure, failures }: Endings): boolean =>
  failures > maxFailures ||
  empty > maxEmptyStreams ||
  (failure !== undefined && (failure.kind === "Unusable" || finalStatuses.has(failure.status)))

/** The stream or the session is gone, or there are no streams to be resumed. */
const finalStatuses: ReadonlySet<number | undefined> = new Set([404, 405, 410, 501])

/** How an effect failed; undefined if it did not. */
export const failureOf = <E, R>(effect: Effect.Effect<void, E, R>): Effect.Effect<E | undefined, never, R> =>
  Effect.match(effect, { onFailure: (failure) => failure, onSuccess: () => undefined })

const hungUp = new UpstreamFailed({
  kind: "Broken",
  problem: "MCP server hung up before it had answered"
})
