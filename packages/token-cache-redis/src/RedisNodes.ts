import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redis from "effect/persistence/Redis"
import * as Predicate from "effect/Predicate"
import { StoreUnavailable } from "@secure-mcp/oauth-core"
import { unavailable } from "./RedisProblem.ts"

/** A client of several nodes. */
interface NodesClient {
  readonly connect: () => Promise<unknown>
  readonly close: () => Promise<unknown>
  readonly destroy: () => Promise<unknown>
}

/** Connects, or gives up in time. Hangs up with the scope; a server that does not answer must not keep the process from ending. */
export const connectInTime = (
  client: NodesClient,
  watched: WatchedNodes,
  place: string,
  timeout: Duration.Duration
) =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: () => client.connect(),
      catch: (cause) => unavailable(place, new Redis.RedisError({ cause }), watched.reported)
    }).pipe(
      Effect.tap(Effect.sync(() => (watched.isConnected = true))),
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () =>
          Effect.fail(
            new StoreUnavailable({
              problem: `${place} does not answer within ${Duration.toSeconds(timeout)} seconds. Check the addresses, whether it runs, and whether it speaks TLS (\`rediss://\`)`
            })
          )
      }),
      Effect.onError(() => Effect.ignoreCause(Effect.promise(() => client.destroy())))
    ),
    () =>
      Effect.promise(() => client.close()).pipe(
        Effect.timeoutOrElse({
          duration: "2 seconds",
          orElse: () => Effect.promise(() => client.destroy())
        }),
        Effect.ignoreCause
      ),
    { interruptible: true }
  )

interface Emitter {
  readonly on: (event: string, listener: (error: unknown) => void) => unknown
}

/** What is known of the nodes. */
interface WatchedNodes {
  isConnected: boolean
  /** The last error of a node before there was a connection. */
  reported: unknown
}

/**
 * Says when a node is lost, from the first connection on. Without a listener an error would end the process.
 */
export const watchNodes = (client: Emitter, place: string) =>
  Effect.map(Effect.context<never>(), (services) => {
    const runSync = Effect.runSyncWith(services)
    const watched: WatchedNodes = { isConnected: false, reported: undefined }
    const last = { loss: -quiet }
    const onError = (error: unknown) => {
      if (!watched.isConnected) {
        watched.reported = Predicate.hasProperty(error, "error") ? error.error : error
        return
      }
      const now = performance.now()
      // Each node, each attempt and each sentinel says it again.
      if (now - last.loss > quiet)
        runSync(Effect.logWarning(`A node of ${place} is away; the connection is tried again`))
      last.loss = now
    }
    for (const event of ["error", "client-error", "node-error"]) client.on(event, onError)
    return watched
  })

/** Milliseconds. */
const quiet = 30_000

/** Sends a command to the node that has a key; undefined if it has none. */
export type SendCommand = (
  key: string | undefined,
  command: ReadonlyArray<string>,
  signal: AbortSignal
) => Promise<unknown>

/** The `Redis` of a client of several nodes. A command that nobody waits for any more is not sent. */
export const makeRedis = Effect.fnUntraced(function* (send: SendCommand) {
  const routes = { key: undefined as string | undefined }
  const sendTo = (key: string | undefined, ...command: ReadonlyArray<string>) =>
    Effect.tryPromise({
      try: (signal) => send(key, command, signal),
      catch: (cause) => new Redis.RedisError({ cause })
    })
  const unsupported = Effect.fail(
    new Redis.RedisError({ cause: new Error("The store needs no connection of its own") })
  )
  const redis = yield* Redis.make({
    send: <A>(command: string, ...args: ReadonlyArray<string>) => {
      const key = keyOf(command, args)
      // Scripts are loaded where the keys are: all have one hash tag.
      if (key !== undefined) routes.key = key
      return Effect.map(sendTo(key ?? routes.key, command, ...args), (reply) => reply as A)
    },
    connect: unsupported,
    subscribe: () => unsupported
  })
  return { redis, sendTo }
})

/** The first key of a command, by which its node is found. */
const keyOf = (command: string, args: ReadonlyArray<string>): string | undefined => {
  if (command === "EVALSHA" || command === "EVAL") return args[2]
  return command === "SCRIPT" ? undefined : args[0]
}
