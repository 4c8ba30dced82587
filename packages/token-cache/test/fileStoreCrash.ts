import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { FileTokenStore, TokenStore } from "@secure-mcp/token-cache"
import { runCrashTask, type CrashTask } from "@secure-mcp/token-cache/testing"
import { files } from "./fileStores.ts"

/** A process of its own, which the crash contract kills. */
const [directory = "", task = ""] = process.argv.slice(2)

const say = (line: string) => void process.stdout.write(`${line}\n`)

const store = Layer.provide(FileTokenStore.layer({ directory }), files)
await Effect.runPromise(
  Effect.provide(
    TokenStore.use((opened) => runCrashTask(opened, task as CrashTask, say)),
    store
  )
)
