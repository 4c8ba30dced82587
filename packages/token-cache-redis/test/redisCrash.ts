import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { TokenStore } from "@secure-mcp/token-cache"
import { runCrashTask, type CrashTask } from "@secure-mcp/token-cache/testing"
import { RedisConnection, RedisTokenStore } from "@secure-mcp/token-cache-redis"
import { encryptionKey } from "./crashKey.ts"

/** A process of its own, which the crash contract kills. */
const [url = "", keyPrefix = "", task = ""] = process.argv.slice(2)

const say = (line: string) => void process.stdout.write(`${line}\n`)

const store = Layer.provide(
  RedisTokenStore.layer({ encryptionKey, keyPrefix }),
  RedisConnection.layer({ url: Redacted.make(url) })
)
await Effect.runPromise(
  Effect.provide(
    TokenStore.use((opened) => runCrashTask(opened, task as CrashTask, say)),
    store
  )
)
