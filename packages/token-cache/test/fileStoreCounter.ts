import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { TokenStore, FileTokenStore } from "@secure-mcp/token-cache"
import { files } from "./fileStores.ts"
import { keyOf, text, tokenOf } from "./fixtures.ts"

/** A process of its own: counts 25 times, with a lease, from the number in the token to the next one. */
const [directory = ""] = process.argv.slice(2)

const count = Effect.gen(function* () {
  const store = yield* TokenStore
  const lease = yield* store
    .lease(keyOf("counter"), Duration.minutes(1))
    .pipe(Effect.repeat({ schedule: Schedule.spaced("2 millis"), until: (lease) => lease !== undefined }))
  if (lease === undefined) return
  const next = Number(text(lease.found) ?? 0) + 1
  yield* lease.set(tokenOf(String(next)), Duration.infinity)
  yield* lease.release
})

const store = Layer.provide(FileTokenStore.layer({ directory }), files)
await Effect.runPromise(Effect.provide(Effect.repeat(count, { times: 24 }), store))
process.stdout.write("25 counted\n")
