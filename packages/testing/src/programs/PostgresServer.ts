import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { execFile, spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { appendFileSync, chmodSync, chownSync, readFileSync, realpathSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { freePort } from "../loopback/FreePort.ts"

/** How PostgreSQL is run. */
export interface PostgresServerOptions {
  /** Lines of `postgresql.conf`, such as `max_connections = 20`. */
  readonly configuration?: ReadonlyArray<string>
  /** Lines of `pg_hba.conf`. By default everybody on loopback may log in as anybody. */
  readonly access?: ReadonlyArray<string>
  /** Offers TLS, with these PEM texts. */
  readonly tls?: { readonly certificatePem: string; readonly privateKeyPem: string }
}

/** A PostgreSQL of a test's own, in a temporary folder and on a loopback port. */
export interface PostgresServer {
  readonly port: number
  /** `postgres://postgres@127.0.0.1:port/postgres`. */
  readonly url: string
  /** Runs statements as its owner. */
  readonly query: (sql: string) => Effect.Effect<string>
  /** Kills it and its connections, as a machine that loses power. */
  readonly kill: Effect.Effect<void>
  /** Starts it again on the same port, with what it had. */
  readonly restart: Effect.Effect<void>
  /** Stops the answers of all its processes, without closing a connection. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
}

/** PostgreSQL does not run as root: then it runs as the user that Debian's package makes, or as `nobody`. */
const unprivileged = async (): Promise<{ readonly uid?: number; readonly gid?: number }> => {
  if (process.getuid?.() !== 0) return {}
  for (const name of ["postgres", "nobody"]) {
    try {
      const [uid, gid] = await Promise.all(
        ["-u", "-g"].map(async (of) => Number((await promisify(execFile)("id", [of, name])).stdout))
      )
      if (uid !== undefined && gid !== undefined) return { uid, gid }
    } catch {
      continue
    }
  }
  throw new Error("There is no user to run PostgreSQL as")
}

/**
 * Starts a server; it is killed with the scope.
 *
 * @param program the path of `postgres`; `initdb` and `psql` are next to it
 */
const make = Effect.fnUntraced(function* (program: string, options: PostgresServerOptions = {}) {
  const programs = dirname(realpathSync(program))
  const user = yield* Effect.promise(unprivileged)
  const directory = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const made = await mkdtemp(join(tmpdir(), "postgres-"))
      if (user.uid !== undefined && user.gid !== undefined) chownSync(made, user.uid, user.gid)
      return made
    }),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  const data = join(directory, "data")
  yield* Effect.promise(async () => {
    const place = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
    await promisify(execFile)(join(programs, "initdb"), place, { ...user, cwd: directory })
    writeConfiguration(data, directory, user, options)
  })

  const run = { port: 0, process: undefined as ChildProcess | undefined }
  const start = Effect.promise(async () => {
    run.process = spawn(join(programs, "postgres"), ["-D", data, "-p", String(run.port)], {
      ...user,
      cwd: directory,
      stdio: ["ignore", "ignore", "pipe"]
    })
    await untilReady(run.process)
  })
  // What a killed server leaves behind (its processes, their shared memory) is in the way for a moment.
  const startAgain = Effect.promise(async () => {
    for (let pause = 50; ; pause *= 2) {
      const exit = await Effect.runPromiseExit(start)
      if (Exit.isSuccess(exit)) return
      if (pause > longestPause) throw Cause.squash(exit.cause)
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  })
  // Another process may take the port before PostgreSQL does.
  const startSomewhere = Effect.flatMap(freePort, (port) => {
    run.port = port
    return Effect.sandbox(start)
  }).pipe(Effect.retry({ times: 4 }), Effect.orDie)
  const signal = (name: NodeJS.Signals) => Effect.sync(() => signalAll(run.process, name))
  const kill = Effect.promise(async () => {
    const { process: running } = run
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
    const gone = once(running, "exit")
    signalAll(running, "SIGKILL")
    await gone
  })
  yield* Effect.acquireRelease(startSomewhere, () => kill)
  const { port } = run
  const query = (sql: string) =>
    Effect.promise(async () => {
      const psql = [
        "-h",
        directory,
        "-p",
        String(port),
        "-U",
        "postgres",
        "-At",
        "-v",
        "ON_ERROR_STOP=1",
        "-c",
        sql
      ]
      return (await promisify(execFile)(join(programs, "psql"), psql)).stdout.trim()
    })
  return {
    port,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    query,
    kill,
    restart: Effect.andThen(kill, startAgain),
    pause: signal("SIGSTOP"),
    resume: signal("SIGCONT")
  } satisfies PostgresServer
})

/** Milliseconds between the last attempts of a new start. */
const longestPause = 3000

export const PostgresServer = { make }

const writeConfiguration = (
  data: string,
  directory: string,
  { gid, uid }: { readonly uid?: number; readonly gid?: number },
  { access, configuration = [], tls }: PostgresServerOptions
): void => {
  const lines = [
    "listen_addresses = '127.0.0.1'",
    `unix_socket_directories = '${directory}'`,
    "shared_buffers = 8MB",
    "max_wal_senders = 0",
    "autovacuum = off",
    // Nothing of a test has to survive a power cut.
    "fsync = off",
    ...(tls === undefined ? [] : ["ssl = on"]),
    ...configuration
  ]
  appendFileSync(join(data, "postgresql.conf"), `${lines.join("\n")}\n`)
  if (access !== undefined) {
    // The first line that fits counts.
    const rules = ["local all postgres trust", ...access]
    appendFileSync(join(data, "pg_hba.conf"), "", { flag: "w" })
    appendFileSync(join(data, "pg_hba.conf"), `${rules.join("\n")}\n`)
  }
  if (tls === undefined) return
  for (const [name, text] of [
    ["server.crt", tls.certificatePem],
    ["server.key", tls.privateKeyPem]
  ] as const) {
    const path = join(data, name)
    appendFileSync(path, text)
    chmodSync(path, 0o600)
    if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid)
  }
}

/** Each connection has a process of its own, in a group of its own: the first process and all that it started. */
const signalAll = (leader: ChildProcess | undefined, name: NodeJS.Signals): void => {
  if (leader?.pid === undefined || leader.exitCode !== null || leader.signalCode !== null) return
  // The first process starts no other one while it stands still or is gone.
  const started = name === "SIGCONT" ? [] : childrenOf(leader.pid)
  leader.kill(name)
  for (const pid of new Set([...started, ...childrenOf(leader.pid)])) {
    try {
      process.kill(pid, name)
    } catch {
      // It has ended by itself.
    }
  }
}

const childrenOf = (pid: number): ReadonlyArray<number> => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** It says so on standard error, which is then read on and thrown away. */
const untilReady = (server: ChildProcess): Promise<void> =>
  new Promise((done, failed) => {
    let said = ""
    server.stderr?.setEncoding("utf8").on("data", (text: string) => {
      if (said.length < 10_000) said += text
      if (text.includes("ready to accept connections")) done()
    })
    server.once("exit", () => failed(new Error(`PostgreSQL does not start: ${said}`)))
  })
