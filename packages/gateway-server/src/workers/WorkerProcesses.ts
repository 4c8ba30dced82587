import cluster, { type Worker } from "node:cluster"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type Answer, type Question, type Start, ToOwner, ToWorker } from "./OwnerMessages.ts"
import { workerVariable } from "./WorkerMark.ts"

/** The workers cannot begin their work. */
export class WorkersFailed extends Schema.TaggedError<WorkersFailed>()("WorkersFailed", {
  problem: Schema.String
}) {
  override get message(): string {
    return `The workers cannot start: ${this.problem}`
  }
}

/** What the workers of a gateway need of its owner. */
export interface WorkersOptions {
  readonly workers: number
  readonly start: Start
  readonly answer: (question: Question) => Effect.Effect<Answer>
  readonly countHits: (serverName: string, hits: number) => void
}

/** How long a worker may take to end: its requests have ten seconds. */
const longestStop = Duration.seconds(12)

/** How long all workers may take to say what they counted. */
const longestCount = Duration.seconds(1)

/** A worker that lived shorter than this has not begun its work well. */
const shortLife = Duration.toMillis(Duration.seconds(10))

/** Before a worker is replaced; doubled each time that one has lived a short time, up to the longest. */
const shortestPause = 100
const longestPause = 30_000

/**
 * Runs workers until the scope closes: this command again, in processes of their own, each of which is replaced when it
 * ends. Fails if one of the first cannot start.
 *
 * @returns `collectHits` asks all workers for the cache hits that they have counted
 */
export const startWorkers = Effect.fnUntraced(function* (options: WorkersOptions) {
  const problems = new WeakMap<Worker, string>()
  const live = new Map<Worker, Map<number, () => void>>()
  const ready = yield* Effect.forEach(Array.from({ length: options.workers }), () =>
    Deferred.make<void, WorkersFailed>()
  )
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  cluster.setupPrimary({ exec: process.argv[1] ?? "", args: process.argv.slice(2) })

  const run = (ready: Deferred.Deferred<void, WorkersFailed>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const worker = cluster.fork({ [workerVariable]: "1" })
        const counted = new Map<number, () => void>()
        live.set(worker, counted)
        worker.on("error", ({ message }) => void problems.set(worker, message))
        worker.on("message", (raw: unknown) => {
          const message = Option.getOrUndefined(decode(raw))
          switch (message?._tag) {
            case "Ready":
              return send(worker, options.start)
            case "Listening":
              return Deferred.doneUnsafe(ready, Exit.void)
            case "CannotStart":
              problems.set(worker, message.problem)
              return Deferred.doneUnsafe(ready, Exit.fail(new WorkersFailed({ problem: message.problem })))
            case "Asked": {
              const { id, question } = message
              return runFork(
                Effect.map(options.answer(question), (answer) =>
                  send(worker, { _tag: "Answered", id, answer })
                )
              )
            }
            case "HitsCounted": {
              for (const [serverName, hits] of Object.entries(message.hits))
                options.countHits(serverName, hits)
              return counted.get(message.id)?.()
            }
            case undefined:
              return undefined
          }
        })
        return worker
      }),
      (worker) => Effect.map(endOf(worker), ({ how, pid }) => ({ pid, how: problems.get(worker) ?? how })),
      (worker) =>
        Effect.gen(function* () {
          if (worker.isConnected()) send(worker, { _tag: "Stop" })
          yield* Effect.timeoutOption(endOf(worker), longestStop)
          if (!worker.isDead()) worker.process.kill("SIGKILL")
          live.delete(worker)
        })
    )

  const keepRunning = Effect.fnUntraced(function* (ready: Deferred.Deferred<void, WorkersFailed>) {
    let pause = shortestPause
    while (true) {
      const begun = yield* Clock.currentTimeMillis
      const end = yield* run(ready)
      Deferred.doneUnsafe(ready, Exit.fail(new WorkersFailed({ problem: `one ended at once (${end.how})` })))
      const isShort = (yield* Clock.currentTimeMillis) - begun < shortLife
      pause = isShort ? Math.min(pause * 2, longestPause) : shortestPause
      yield* Effect.logWarning(`Worker ${end.pid} ended (${end.how}), and is replaced`)
      yield* Effect.sleep(pause)
    }
  })

  yield* Effect.forkScoped(Effect.forEach(ready, keepRunning, { concurrency: "unbounded", discard: true }))
  yield* Effect.forEach(ready, Deferred.await, { concurrency: "unbounded", discard: true })

  let lastCount = 0
  return {
    collectHits: Effect.suspend(() => {
      const id = ++lastCount
      return Effect.forEach([...live], ([worker, counted]) => countOf(worker, counted, id), {
        concurrency: "unbounded",
        discard: true
      })
    }).pipe(Effect.timeoutOption(longestCount), Effect.asVoid)
  }
})

/** Asks a worker for its hits; completes when it has answered. */
const countOf = (worker: Worker, counted: Map<number, () => void>, id: number) =>
  Effect.callback<void>((resume) => {
    counted.set(id, () => {
      counted.delete(id)
      resume(Effect.void)
    })
    send(worker, { _tag: "CountHits", id })
    return Effect.sync(() => counted.delete(id))
  })

/** Completes when the process of a worker has ended, or was never made. */
const endOf = (worker: Worker) =>
  Effect.callback<{ readonly pid: number | undefined; readonly how: string }>((resume) => {
    const { exitCode, pid, signalCode } = worker.process
    const end = (code: number | null, signal: string | null) =>
      resume(Effect.succeed({ pid, how: signal ?? `exit code ${code}` }))
    if (worker.isDead()) return end(exitCode, signalCode)
    const onError = () => {
      if (pid === undefined) end(null, "not started")
    }
    worker.once("exit", end).on("error", onError)
    return Effect.sync(() => worker.off("exit", end).off("error", onError))
  })

const send = (worker: Worker, message: ToWorker): void => {
  // One that has just ended hears nothing, and is replaced.
  if (worker.isConnected()) worker.send(encode(message), () => undefined)
}

const encode = Schema.encodeSync(ToWorker)
const decode = Schema.decodeUnknownOption(ToOwner)
