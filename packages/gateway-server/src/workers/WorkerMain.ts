import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { loadedConfig } from "../config/ConfigFile.ts"
import { makeOwnerChannel, OwnerChannel } from "./OwnerChannel.ts"
import { workerServer } from "./WorkerServer.ts"

/**
 * Does the work of a worker, in a process that `startWorkers` has started: until the owner wants it to end, or this process
 * is told to.
 */
export const runWorker = Effect.gen(function* () {
  // As if a service manager had told this process alone.
  const owner = yield* makeOwnerChannel(() => void process.emit("SIGTERM", "SIGTERM"))
  const start = yield* owner.start
  return yield* Effect.gen(function* () {
    const config = yield* loadedConfig(start.document)
    const { gateway } = config
    const own = { ...config, gateway: { ...gateway, host: start.host, port: start.port } }
    yield* Layer.build(workerServer(own, start).pipe(Layer.provide(Layer.succeed(OwnerChannel, owner))))
    yield* owner.tell({ _tag: "Listening" })
    return yield* Effect.never
  }).pipe(
    Effect.tapError((error) => owner.tell({ _tag: "CannotStart", problem: error.message })),
    Effect.scoped
  )
}).pipe(Effect.scoped)
