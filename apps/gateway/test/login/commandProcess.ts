import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { StubAuthorizationServer, Answer } from "@secure-mcp/testing"
import { fileURLToPath } from "node:url"
import { startCommand } from "../cli/gatewayProcess.ts"

/** Starts a command that a person answers. */
export const startDialogue = Effect.fnUntraced(function* (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>
) {
  const { closeInput, finished, pid, until, write } = yield* startCommand(args, env)
  /** What a stream holds, once it matches. */
  const says = (stream: "stdout" | "stderr", pattern: RegExp) =>
    until(stream, (text) => pattern.exec(text)?.[0])
  return {
    pid,
    says,
    /** The URL that a person is to open. */
    url: says("stdout", /http\S+(?=\n)/),
    paste: (line: string) => write(`${line}\n`),
    closeInput,
    finished
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
