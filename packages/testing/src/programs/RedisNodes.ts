import * as Effect from "effect/Effect"
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { freePort } from "../loopback/FreePort.ts"
import { RedisServer } from "./RedisServer.ts"

/** Runs `redis-cli`, which is installed with the server, against a port of this machine. */
const command = (program: string, ...words: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const { stdout } = await promisify(execFile)(join(dirname(program), "redis-cli"), words)
    return stdout.trim()
  })

const until = (isThere: Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.flatMap(isThere, (there) =>
    there ? Effect.void : Effect.andThen(Effect.sleep("50 millis"), until(isThere))
  )

/** How a set of servers behaves that replace each other. */
export interface RedisNodesOptions {
  /** Lines of the configuration of each server. */
  readonly configuration?: ReadonlyArray<string>
}

/**
 * A primary, one replica, and three sentinels that make the replica the primary half a second after the primary is gone.
 *
 * @param program the path of `redis-server`
 */
const makeSentinels = Effect.fnUntraced(function* (program: string, options: RedisNodesOptions = {}) {
  const primary = yield* RedisServer.make(program, options)
  const replica = yield* RedisServer.make(program, {
    configuration: [
      `replicaof 127.0.0.1 ${primary.port}`,
      "repl-diskless-sync-delay 0",
      ...(options.configuration ?? [])
    ]
  })
  const at = (port: number, ...words: ReadonlyArray<string>) => command(program, "-p", String(port), ...words)
  yield* until(Effect.map(at(primary.port, "INFO", "replication"), (info) => info.includes("state=online")))
  const sentinels = yield* Effect.forEach([1, 2, 3], () => startSentinel(program, primary.port))
  yield* until(
    Effect.map(
      Effect.forEach(sentinels, (port) => at(port, "SENTINEL", "CKQUORUM", "mymaster")),
      (answers) => answers.every((answer) => answer.startsWith("OK 3"))
    )
  )
  return { primary, replica, sentinels, name: "mymaster" }
})

const startSentinel = Effect.fnUntraced(function* (program: string, primary: number) {
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "sentinel-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  const port = yield* freePort
  // It writes into its own configuration what it has learned.
  const path = join(directory, "sentinel.conf")
  const lines = [
    `port ${port}`,
    "bind 127.0.0.1",
    `dir ${directory}`,
    `sentinel monitor mymaster 127.0.0.1 ${primary} 2`,
    "sentinel down-after-milliseconds mymaster 500",
    "sentinel failover-timeout mymaster 1000"
  ]
  yield* Effect.promise(() => writeFile(path, `${lines.join("\n")}\n`))
  yield* Effect.acquireRelease(
    Effect.sync(() => spawn(program, [path, "--sentinel"], { stdio: "ignore" })),
    (process) =>
      Effect.promise(async () => {
        if (process.exitCode !== null || process.signalCode !== null) return
        const gone = once(process, "exit")
        process.kill("SIGKILL")
        await gone
      })
  )
  yield* until(
    command(program, "-p", String(port), "PING").pipe(
      Effect.map((answer) => answer === "PONG"),
      Effect.catchCause(() => Effect.succeed(false))
    )
  )
  return port
})

/**
 * A cluster of three primaries, each with so many replicas, one of which takes over a second after its primary is gone.
 *
 * @param program the path of `redis-server`
 */
const makeCluster = Effect.fnUntraced(function* (
  program: string,
  { configuration = [], replicas }: RedisNodesOptions & { readonly replicas: 0 | 1 }
) {
  const nodes = yield* Effect.forEach(Array.from({ length: 3 * (1 + replicas) }), () =>
    Effect.flatMap(freePort, (busPort) =>
      Effect.map(
        RedisServer.make(program, {
          configuration: [
            "cluster-enabled yes",
            `cluster-port ${busPort}`,
            "cluster-node-timeout 1000",
            "repl-diskless-sync-delay 0",
            ...configuration
          ]
        }),
        (server) => ({ ...server, busPort })
      )
    )
  )
  const places = nodes.map(({ busPort, port }) => `127.0.0.1:${port}@${busPort}`)
  const shape = ["--cluster-replicas", String(replicas), "--cluster-yes"]
  yield* command(program, "--cluster", "create", ...places, ...shape)
  const at = (port: number, ...words: ReadonlyArray<string>) => command(program, "-p", String(port), ...words)
  yield* until(
    Effect.map(
      Effect.forEach(nodes, ({ port }) =>
        Effect.all([at(port, "CLUSTER", "INFO"), at(port, "INFO", "replication")])
      ),
      (answers) =>
        answers.every(
          ([cluster, replication]) =>
            cluster.includes("cluster_state:ok") &&
            (replicas === 0 || /state=online|master_link_status:up/.test(replication))
        )
    )
  )
  /** The servers that have a key: the primary, and its replica if there is one. */
  const serversOf = (key: string) =>
    Effect.gen(function* () {
      const infos = yield* Effect.forEach(nodes, (node) =>
        Effect.map(
          Effect.all([
            at(node.port, "CLUSTER", "KEYSLOT", key),
            at(node.port, "CLUSTER", "NODES"),
            at(node.port, "INFO", "replication")
          ]),
          ([slot, map, replication]) => ({
            node,
            isPrimary: replication.includes("role:master") && hasSlot(map, Number(slot)),
            primary: Number(/^master_port:(\d+)/m.exec(replication)?.[1])
          })
        )
      )
      const primary = infos.find(({ isPrimary }) => isPrimary)?.node
      const replica = infos.find((info) => info.primary === primary?.port)?.node
      return primary === undefined
        ? yield* Effect.die(new Error(`No server has ${key}`))
        : { primary, replica }
    })
  return { nodes, serversOf }
})

/** Whether the server that drew this map of the cluster has the slot itself. */
const hasSlot = (map: string, slot: number): boolean =>
  map.split("\n").some((line) => {
    const [, , flags = "", ...rest] = line.split(" ")
    return (
      flags.includes("myself") &&
      rest.slice(5).some((range) => {
        const [first = -1, last = first] = range.split("-").map(Number)
        return first <= slot && slot <= last
      })
    )
  })

/** Several Redis servers of this machine that replace one that fails: with Sentinels, and as a Cluster. */
export const RedisNodes = { makeSentinels, makeCluster }
