import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { StubAuthorizationServer, Answer } from "@secure-mcp/testing"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { baseEnvironment, commandLine, type Finished } from "../cli/gatewayProcess.ts"

/** Starts the command with its standard input open, and kills it with the scope. */
export const startCommand = Effect.fnUntraced(function* (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>
) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, commandLine(...args), { env: { ...baseEnvironment, ...env } })),
    (child) =>
      Effect.promise(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const gone = once(child, "exit")
        child.kill("SIGKILL")
        await gone
      })
  )
  const said = { stdout: "", stderr: "" }
  const closed = once(child, "close")
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text))
  child.stdin.on("error", () => {})

  /** What a stream holds, once it matches. */
  const until = (stream: "stdout" | "stderr", pattern: RegExp) =>
    Effect.callback<string>((resume) => {
      const look = () => {
        const found = pattern.exec(said[stream])
        if (found !== null) resume(Effect.succeed(found[0]))
      }
      const giveUp = () => resume(Effect.die(new Error(`It ended: ${JSON.stringify(said)}`)))
      child[stream].on("data", look)
      child.once("close", giveUp)
      look()
      return Effect.sync(() => {
        child[stream].off("data", look)
        child.off("close", giveUp)
      })
    })

  return {
    pid: child.pid ?? 0,
    says: until,
    /** The URL that a person is to open. */
    url: until("stdout", /http\S+(?=\n)/),
    paste: (line: string) => Effect.sync(() => void child.stdin.write(`${line}\n`)),
    closeInput: Effect.sync(() => void child.stdin.end()),
    finished: Effect.promise(async (): Promise<Finished> => {
      await closed
      return { exitCode: child.exitCode, ...said }
    })
  }
})

/** A browser for `$BROWSER` that hands the URL it is to open to the test. */
export const makeBrowser = Effect.gen(function* () {
  const hand = yield* StubAuthorizationServer.make()
  yield* hand.always("/opened", Answer.text(""))
  const program = fileURLToPath(new URL("./fixtures/handOver.ts", import.meta.url))
  return {
    command: `${process.execPath} ${program} ${hand.endpoint("/opened")}`,
    opened: Effect.map(hand.received(1, "/opened"), ([request]) => request?.body ?? "")
  }
})

/** A state directory of its own. */
export const makeStateDirectory = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  return yield* files.makeTempDirectoryScoped()
}).pipe(Effect.orDie)
