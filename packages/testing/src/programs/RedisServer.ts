import * as Effect from "effect/Effect"
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { connect, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort } from "../loopback/FreePort.ts"

/** How Redis is run. */
export interface RedisServerOptions {
  /** Lines of its configuration, such as `requirepass secret`. */
  readonly configuration?: ReadonlyArray<string>
  /** Speaks only TLS, with these PEM files. */
  readonly tls?: {
    readonly certificatePath: string
    readonly privateKeyPath: string
    readonly caBundlePath: string
  }
}

/** A Redis of a test's own, on a loopback port, that stores nothing on disk. */
export interface RedisServer {
  readonly port: number
  /** `redis://127.0.0.1:port`, or `rediss://localhost:port`. */
  readonly url: string
  /** Kills it; its data is lost, unless its configuration says otherwise. */
  readonly kill: Effect.Effect<void>
  /** Starts it again on the same port. */
  readonly restart: Effect.Effect<void>
  /** Stops its answers, without closing a connection. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
}

/** Starts a server; it is killed with the scope. */
const make = Effect.fnUntraced(function* (program: string, options: RedisServerOptions = {}) {
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "redis-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  const run = { port: 0, process: undefined as ChildProcess | undefined }
  const start = Effect.promise(async () => {
    run.process = spawn(program, argumentsFor(run.port, directory, options), { stdio: "ignore" })
    await untilListening(run.port, run.process)
  })
  // Another process may take the port before Redis does.
  const startSomewhere = Effect.flatMap(freePort, (port) => {
    run.port = port
    return Effect.sandbox(start)
  }).pipe(Effect.retry({ times: 4 }), Effect.orDie)
  const signal = (name: NodeJS.Signals) => Effect.sync(() => void run.process?.kill(name))
  const kill = Effect.promise(async () => {
    const { process } = run
    if (process === undefined || process.exitCode !== null || process.signalCode !== null) return
    const gone = once(process, "exit")
    process.kill("SIGKILL")
    await gone
  })
  yield* Effect.acquireRelease(startSomewhere, () => kill)
  const { port } = run
  return {
    port,
    url: options.tls === undefined ? `redis://127.0.0.1:${port}` : `rediss://localhost:${port}`,
    kill,
    restart: Effect.andThen(kill, start),
    pause: signal("SIGSTOP"),
    resume: signal("SIGCONT")
  } satisfies RedisServer
})

export const RedisServer = { make }

const argumentsFor = (port: number, directory: string, { configuration = [], tls }: RedisServerOptions) => [
  "--port",
  tls === undefined ? String(port) : "0",
  "--bind",
  "127.0.0.1",
  "--dir",
  directory,
  "--save",
  "",
  "--appendonly",
  "no",
  ...(tls === undefined ? [] : tlsArguments(port, tls)),
  ...configuration.flatMap((line) => {
    const [name = "", ...values] = line.split(" ")
    return [`--${name}`, ...values]
  })
]

const tlsArguments = (port: number, tls: NonNullable<RedisServerOptions["tls"]>) => [
  "--tls-port",
  String(port),
  "--tls-auth-clients",
  "no",
  "--tls-cert-file",
  tls.certificatePath,
  "--tls-key-file",
  tls.privateKeyPath,
  "--tls-ca-cert-file",
  tls.caBundlePath
]

/** It says nothing when it is ready, so a connection is tried, for half a minute at most. */
const untilListening = async (port: number, server: ChildProcess): Promise<void> => {
  for (let attempt = 0; attempt < 3000; attempt++) {
    if (server.exitCode !== null) throw new Error(`redis-server ended with exit code ${server.exitCode}`)
    if (await canConnect(port)) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`redis-server does not listen on port ${port}`)
}

const canConnect = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket: Socket = connect(port, "127.0.0.1")
    const end = (connected: boolean) => {
      socket.destroy()
      resolve(connected)
    }
    socket.once("connect", () => end(true)).once("error", () => end(false))
  })
