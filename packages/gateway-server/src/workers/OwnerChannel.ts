import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type Answer, type Question, type Start, ToOwner, ToWorker } from "./OwnerMessages.ts"

/** The owner gave no answer. */
export class OwnerSilent extends Schema.TaggedError<OwnerSilent>()("OwnerSilent", {
  problem: Schema.String
}) {
  override get message(): string {
    return this.problem
  }
}

/** The way from a worker to the owner of the tokens: messages between the processes. */
export class OwnerChannel extends Context.Service<
  OwnerChannel,
  {
    /** Completes when the owner has said what this worker is to do. */
    readonly start: Effect.Effect<Start>
    readonly ask: (question: Question) => Effect.Effect<Answer, OwnerSilent>
    readonly tell: (message: ToOwner) => Effect.Effect<void>
    /** Counts a cache hit, for the owner's metrics. */
    readonly countHit: (serverName: string) => void
  }
>()("@secure-mcp/gateway/OwnerChannel") {}

/** Longer than an acquisition with all its attempts. */
const longestAnswer = Duration.minutes(2)

/** More questions would only wait. */
const maxQuestions = 10_000

/**
 * The channel of this process, which `node:cluster` has started. When the owner is gone, Node ends this process.
 *
 * @param onStop called when the owner wants this worker to end
 */
export const makeOwnerChannel = Effect.fnUntraced(function* (onStop: () => void) {
  const start = yield* Deferred.make<Start>()
  const waiting = new Map<number, (answer: Answer) => void>()
  const hits = new Map<string, number>()
  let lastId = 0

  const send = (message: ToOwner) =>
    void process.send?.(encode(message), undefined, undefined, () => undefined)

  const receive = (raw: unknown) => {
    const message = Option.getOrUndefined(decode(raw))
    switch (message?._tag) {
      case "Start":
        return Deferred.doneUnsafe(start, Effect.succeed(message))
      case "Answered":
        return waiting.get(message.id)?.(message.answer)
      case "CountHits":
        send({ _tag: "HitsCounted", id: message.id, hits: Object.fromEntries(hits) })
        return hits.clear()
      case "Stop":
        return onStop()
      case undefined:
        return undefined
    }
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on("message", receive)),
    () => Effect.sync(() => process.off("message", receive))
  )
  send({ _tag: "Ready" })

  return OwnerChannel.of({
    start: Deferred.await(start),
    ask: (question) =>
      Effect.callback<Answer, OwnerSilent>((resume) => {
        if (waiting.size >= maxQuestions)
          return resume(Effect.fail(new OwnerSilent({ problem: "Too many questions wait for an answer" })))
        const id = ++lastId
        waiting.set(id, (answer) => {
          waiting.delete(id)
          resume(Effect.succeed(answer))
        })
        send({ _tag: "Asked", id, question })
        return Effect.sync(() => waiting.delete(id))
      }).pipe(
        Effect.timeoutOrElse({
          duration: longestAnswer,
          orElse: () =>
            Effect.fail(new OwnerSilent({ problem: "The process that has the tokens does not answer" }))
        })
      ),
    tell: (message) => Effect.sync(() => send(message)),
    countHit: (serverName) => void hits.set(serverName, (hits.get(serverName) ?? 0) + 1)
  })
})

const encode = Schema.encodeSync(ToOwner)
const decode = Schema.decodeUnknownOption(ToWorker)
