import * as Effect from "effect/Effect"
import { once } from "node:events"
import type { Contender, Figures, Run, Take } from "../measurement/Measurement.ts"
import { startNodeProgram, startServer } from "../process/NodeProgram.ts"
import { tokenEndpoint } from "../servers/Servers.ts"
import type { WorkerOptions } from "./Worker.ts"

/** Processor time of each figure in a full round, in milliseconds. */
const fullRound = 300

/** A worker that was started, and what asks it for a round. */
export const startWorker = Effect.fnUntraced(function* (
  program: URL,
  run: Run,
  options: Pick<WorkerOptions, "tokenUrl" | "keys">,
  profileDirectory?: string
) {
  const told: WorkerOptions = {
    ...options,
    milliseconds: Math.max(1, fullRound * run.share),
    share: run.share
  }
  const started = yield* startNodeProgram(program, [JSON.stringify(told)], {
    isTalking: true,
    nodeOptions: ["--expose-gc"],
    profileDirectory
  })
  const take: Take = async () => {
    const ended = once(started.child, "exit").then((): never => {
      throw new Error(`${program.pathname} ended: ${started.output()}`)
    })
    const answered = once(started.child, "message")
    started.child.send("take")
    const [figures]: ReadonlyArray<Figures> = await Promise.race([answered, ended])
    return figures ?? {}
  }
  return take
})

/** A contender that is a program in a process of its own, with a token endpoint. */
export const workerContender = (
  name: string,
  program: URL,
  { isOurs = false }: { readonly isOurs?: boolean } = {}
): Contender => ({
  name,
  start: Effect.fnUntraced(function* (run) {
    const tokens = yield* startServer(tokenEndpoint)
    const take = yield* startWorker(
      program,
      run,
      { tokenUrl: `${tokens.url}/token`, keys: 1 },
      isOurs ? run.profileDirectory : undefined
    )
    // V8 compiles what is hot.
    yield* Effect.promise(take)
    return take
  })
})
