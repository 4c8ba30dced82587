import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { StoreUnavailable } from "@secure-mcp/oauth-core"
import { tokenOfEntry, type TokenStore } from "@secure-mcp/token-cache"
import { runCrashTask } from "@secure-mcp/token-cache/testing"
import { keyOf, openPostgres, openSqlite, tokenOf } from "./stores.ts"

/** A process of its own: does what the crash contract says until it is killed, or counts together with others. */
const [type = "", url = "", task = ""] = process.argv.slice(2)

const say = (line: string) => void process.stdout.write(`${line}\n`)

/** Adds one under the lease, as many times as asked: a lease that two have at once costs a count. */
const count = (store: TokenStore["Service"], times: number): Effect.Effect<void, StoreUnavailable> =>
  Effect.gen(function* () {
    if (times === 0) return say("counted")
    const lease = yield* store.lease(keyOf("counter"), Duration.seconds(10))
    if (lease === undefined) {
      yield* Effect.sleep("2 millis")
      return yield* count(store, times)
    }
    const before = Number(tokenOfEntry(lease.found)?.scope?.[0] ?? 0)
    yield* lease.set(tokenOf("count", { scope: [String(before + 1)] }), Duration.infinity)
    yield* lease.release
    return yield* count(store, times - 1)
  })

await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const { store } = yield* type === "sqlite" ? openSqlite(url) : openPostgres(url)
      say("open")
      if (task === "write" || task === "wait") return yield* runCrashTask(store, task, say)
      else yield* count(store, Number(task))
    })
  )
)
