import { assert, describe, it } from "@effect/vitest"
import { redisProgram, requireProgram } from "@secure-mcp/testing"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, expect, vi } from "vitest"
import { writeConfig } from "../cli/gatewayProcess.ts"
import { bundleCommand, type KillableCommand } from "./killed/CommandBundle.ts"
import { formatSurvivals, type Survival, withTable } from "./killed/CrashTable.ts"
import { secretOf, startGrantServer } from "./killed/GrantServer.ts"
import { runKilled } from "./killed/KilledCommand.ts"
import { type KilledStore, makeFiles, makeRedis } from "./killed/KilledStores.ts"
import { type Operation, operations, type Scene } from "./killed/Operations.ts"

// Most of the time all of them wait: for the leases of killed processes.
vi.setConfig({ testTimeout: 1_200_000, maxConcurrency: 100 })

describe("a process that is killed", () => {
  const page = fileURLToPath(new URL("../../../../docs/security/crashes.md", import.meta.url))
  const processes = Semaphore.makeUnsafe(4)
  const survivals = new Map<string, Survival>()
  const scope = Scope.makeUnsafe()
  const made: { command: KillableCommand; files?: KilledStore; Redis?: KilledStore } = { command: [] }

  beforeAll(async () => {
    const program = requireProgram(redisProgram)
    await Effect.runPromise(
      Effect.gen(function* () {
        made.command = yield* bundleCommand
        made.files = yield* makeFiles
        if (program !== undefined) made.Redis = yield* makeRedis(program)
      }).pipe(Scope.provide(scope))
    )
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  /** Runs the operation in a scene of its own, killed before a step, and looks at what survived. */
  const run = Effect.fnUntraced(function* (
    operation: Operation,
    number: number,
    store: KilledStore,
    at: number
  ) {
    const name = `operation-${number}-${at}`
    const server = yield* startGrantServer
    const withStore = (settings: object) => ({
      store: { ...store.settings(name), ...settings },
      servers: [server.entry(operation.oauth(server))]
    })
    const scene: Scene = { server, document: withStore(operation.store ?? {}), withStore }
    const config = yield* writeConfig(scene.document)
    const { killed, said, steps } = yield* Effect.andThen(
      operation.prepare?.(scene) ?? Effect.void,
      runKilled(
        made.command,
        [...operation.args, "--config", config],
        {
          at,
          journal: `${config}.steps`,
          http: server.port,
          store: store.target(name)
        },
        operation.work
      )
    ).pipe(processes.withPermit)
    assert.strictEqual(killed, at > 0, said)
    const stored = yield* store.content(name)
    for (const secret of [secretOf("access"), secretOf("refresh"), secretOf("device")])
      assert.notInclude(stored.join(""), secret)
    assert.isAtMost((yield* store.leftovers(name)).length, 1)
    return { steps, survived: yield* operation.survived(scene) }
  })

  describe.concurrent("leaves a state that the next process can use", () => {
    for (const name of ["files", "Redis"] as const)
      for (const [number, operation] of operations.entries())
        it.live(
          `a process that ${operation.doing} with ${name} can be killed at each step: the next one goes on`,
          ({ skip }) =>
            Effect.gen(function* () {
              const store = made[name] ?? skip("no redis-server")
              const { steps, survived } = yield* run(operation, number, store, 0)
              assert.isAbove(steps.length, 3)
              const killed = yield* Effect.forEach(
                steps,
                (step, index) =>
                  Effect.map(run(operation, number, store, index + 1), (one) => ({
                    step,
                    survived: one.survived
                  })),
                { concurrency: "unbounded" }
              )
              survivals.set(`${name} ${number}`, {
                operation: operation.name,
                store: name,
                steps: [...killed, { step: "the end", survived }]
              })
            }).pipe(Effect.provide(NodeServices.layer))
        )
  })

  it("the page about crashes shows what survives a process that is killed", async ({ skip }) => {
    if (made.Redis === undefined) skip("no redis-server")
    const rows = operations.flatMap((_, number) =>
      ["files", "Redis"].flatMap((store) => survivals.get(`${store} ${number}`) ?? [])
    )
    assert.lengthOf(rows, operations.length * 2)
    const text = await readFile(page, "utf8")
    await expect(withTable(text, formatSurvivals(rows))).toMatchFileSnapshot(page)
  })
})
