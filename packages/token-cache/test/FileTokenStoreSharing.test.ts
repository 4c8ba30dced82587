import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { tokenOfEntry } from "@secure-mcp/token-cache"
import { files, makeDirectory, namesIn, openStore } from "./fileStores.ts"
import { keyOf, text, tokenOf } from "./fixtures.ts"

describe("several users of one file store", () => {
  it.effect("concurrent readers of a file store never read anything but whole tokens", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const key = keyOf("shared")
      const first = yield* openStore({ directory })
      yield* first.set(key, sized(0), Duration.infinity)
      const writers = yield* Effect.forEach([1, 2, 3, 4], (writer) =>
        Effect.forkChild(
          Effect.flatMap(openStore({ directory }), (store) =>
            Effect.forEach(Array.from({ length: 25 }), (_, write) =>
              store.set(key, sized(writer * 1000 + write), Duration.infinity)
            )
          )
        )
      )
      const reader = yield* openStore({ directory })
      let reads = 0
      while (writers.some((writer) => writer.pollUnsafe() === undefined)) {
        const token = tokenOfEntry(yield* reader.get(key))
        assert.strictEqual(text(token), text(sized(Number(token?.scope?.[0]))))
        assert.strictEqual((yield* reader.list).length, 1)
        reads += 1
      }
      yield* Fiber.joinAll(writers)
      assert.isAbove(reads, 0)
      assert.strictEqual((yield* namesIn(directory)).length, 1)
    }).pipe(Effect.provide(files))
  )

  it.effect("a removed token is returned once to concurrent callers", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const stores = yield* Effect.forEach(Array.from({ length: 8 }), () => openStore({ directory }))
      for (let round = 0; round < 10; round++) {
        yield* stores[0]!.set(keyOf("a"), tokenOf("a"), Duration.infinity)
        const removed = yield* Effect.forEach(stores, (store) => store.remove(keyOf("a")), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(
          removed.map(text).filter((found) => found !== undefined),
          ["a"]
        )
      }
      assert.deepStrictEqual(yield* namesIn(directory), [])
    }).pipe(Effect.provide(files))
  )

  it.effect("concurrent processes agree on one key file and lose nothing", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const said = yield* Effect.forEach(["a", "b"], (name) => run("fileStoreWriter.ts", directory, name), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(said, ["50 written", "50 written"])
      const entries = yield* (yield* openStore({ directory })).list
      const found = Object.fromEntries(entries.map(({ key, token }) => [key.serverName, text(token)]))
      const own = (name: string) =>
        Object.fromEntries([45, 46, 47, 48, 49].map((write) => [`${name}-${write % 5}`, `${name} ${write}`]))
      assert.deepStrictEqual({ ...found, shared: undefined }, { ...own("a"), ...own("b"), shared: undefined })
      assert.include(["a 49", "b 49"], found["shared"])
      assert.strictEqual((yield* namesIn(directory)).length, 11)
    }).pipe(Effect.provide(files))
  )

  it.effect("one process at a time has a lease", () =>
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const said = yield* Effect.forEach([1, 2, 3], () => run("fileStoreCounter.ts", directory), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(said, ["25 counted", "25 counted", "25 counted"])
      const store = yield* openStore({ directory })
      assert.strictEqual(text(yield* store.get(keyOf("counter"))), "75")
      assert.lengthOf(yield* namesIn(`${directory}/leases`), 1)
    }).pipe(Effect.provide(files))
  )
})

/** A token whose length and content follow from its number. */
const sized = (number: number) =>
  tokenOf(`${number}-`.repeat(10 + (number % 7) * 300), { scope: [String(number)] })

/** Runs a process; gives what it says in the end. */
const run = (name: string, ...args: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const script = fileURLToPath(new URL(name, import.meta.url))
    const child = spawn(process.execPath, ["--conditions=@secure-mcp/source", script, ...args])
    let said = ""
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (said += text))
    await once(child, "close")
    return said.trim()
  })
