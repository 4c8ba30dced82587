import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Figures } from "./Figures.ts"

/** The command as it is published: a bundle, which the scripts `attack` and `soak` build before. */
const bundle = fileURLToPath(
  new URL("dist/secure-mcp-gateway.cjs", import.meta.resolve("@secure-mcp/gateway/package.json"))
)
const probe = new URL("Probe.ts", import.meta.url).href

/** A gateway did not begin to serve. */
export class DidNotServe extends Data.TaggedError("DidNotServe")<{ readonly said: string }> {
  override get message() {
    return `The gateway did not begin to serve: ${this.said}`
  }
}

/** Characters of each output that are kept. */
const longestLog = 30_000_000

/** A gateway's process; it ends with the scope. */
export interface GatewayProcess {
  readonly child: ChildProcess
  /** All that it wrote, or the last 30 million characters of it. */
  readonly output: () => string
  readonly isRunning: () => boolean
}

/** A gateway that accepts connections. */
export interface Gateway extends GatewayProcess {
  /** Without a slash at the end. */
  readonly url: string
  /** Forgets the highest figures so far; gives those of now. */
  readonly beginMeasurement: () => Promise<Figures>
  readonly figures: () => Promise<Figures>
  /** The figures after a collection of garbage. */
  readonly figuresAtRest: () => Promise<Figures>
}

/** Writes the configuration into a folder of its own, and starts the command, as a user does. */
export const startProcess = Effect.fnUntraced(function* (document: object, ...args: ReadonlyArray<string>) {
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "robustness-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  const config = join(directory, "gateway.json")
  yield* Effect.promise(() => writeFile(config, JSON.stringify(document)))
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(
        process.execPath,
        ["--expose-gc", `--import=${probe}`, bundle, "serve", "--config", config, "--port", "0", ...args],
        {
          stdio: ["ignore", "pipe", "pipe", "ipc"],
          env: { PATH: process.env["PATH"], XDG_STATE_HOME: directory, NO_COLOR: "1" }
        }
      )
    ),
    (child) => Effect.promise(() => end(child))
  )
  const said = { text: "" }
  for (const stream of [child.stdout, child.stderr])
    stream
      ?.setEncoding("utf8")
      .on("data", (text: string) => (said.text = (said.text + text).slice(-longestLog)))
  return {
    child,
    output: () => said.text,
    isRunning: () => child.exitCode === null && child.signalCode === null
  } satisfies GatewayProcess
})

/** A gateway that serves a configuration until the scope closes. */
export const startGateway = Effect.fnUntraced(function* (
  document: object,
  ...args: ReadonlyArray<string>
): Effect.fn.Return<Gateway, DidNotServe, import("effect/Scope").Scope> {
  const started = yield* startProcess(document, ...args)
  const { child, output } = started
  const url = yield* Effect.callback<string, DidNotServe>((resume) => {
    child.once("close", () => resume(Effect.fail(new DidNotServe({ said: output() }))))
    child.stdout?.on("data", () => {
      const [, found] = /^(https?:\/\/\S+)$/m.exec(output()) ?? []
      if (found !== undefined) resume(Effect.succeed(found.replace(/\/$/, "")))
    })
  })
  const ask = async (question: string): Promise<Figures> => {
    const answered = once(child, "message")
    child.send(question)
    const [figures]: ReadonlyArray<Figures> = await answered
    if (figures === undefined) throw new Error("The probe did not answer")
    return figures
  }
  return {
    ...started,
    url,
    beginMeasurement: () => ask("begin"),
    figures: () => ask("figures"),
    figuresAtRest: () => ask("collect")
  }
})

const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, "exit")
  child.kill("SIGKILL")
  await gone
}
