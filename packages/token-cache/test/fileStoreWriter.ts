import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TokenStore, FileTokenStore } from "@secure-mcp/token-cache"
import { files } from "./fileStores.ts"
import { keyOf, tokenOf } from "./fixtures.ts"

/** A process of its own: writes 50 tokens for five keys, and each of them for a key it shares with others. */
const [directory = "", name = ""] = process.argv.slice(2)

const write = Effect.gen(function* () {
  const store = yield* TokenStore
  for (let write = 0; write < 50; write++) {
    const token = tokenOf(`${name} ${write}`)
    yield* store.set(keyOf(`${name}-${write % 5}`), token, Duration.infinity)
    yield* store.set(keyOf("shared"), token, Duration.infinity)
  }
  process.stdout.write("50 written\n")
})

const store = Layer.provide(FileTokenStore.layer({ directory }), files)
await Effect.runPromise(Effect.provide(write, store))
