import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { writeFile } from "../config/configFile.ts"
import { bundledCommand } from "./bundledCommand.ts"

/** How Node runs the gateway's command; the first file of the command would keep what it compiled in the home directory. */
export const commandLine = (...args: ReadonlyArray<string>): ReadonlyArray<string> => [
  join(bundledCommand, "dist/secure-mcp-gateway.cjs"),
  ...args
]

/** The way to Node and nothing else of this process's environment; compiled modules are kept for the next start. */
export const baseEnvironment = {
  PATH: process.env["PATH"] ?? "",
  NODE_COMPILE_CACHE: join(tmpdir(), "secure-mcp-gateway-compile-cache")
}

/** All that a process said, and how it ended. */
export interface Finished {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A running gateway; it is killed with the scope. */
export interface GatewayProcess {
  readonly pid: number
  /** Completes with the first line on standard output; dies with what the process said if there is none. */
  readonly firstLine: Effect.Effect<string>
  /** Completes once a text stands on standard error. */
  readonly logged: (text: string) => Effect.Effect<void>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly closeOutputs: Effect.Effect<void>
  readonly finished: Effect.Effect<Finished>
}

/** Starts the command with an environment of its own and its standard input open; it is killed with the scope. */
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
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text))
  child.stdin.on("error", () => {})
  const closed = once(child, "close")

  /** Looks at what was said each time something more is. */
  const until = <A>(stream: "stdout" | "stderr", find: (text: string) => A | undefined) =>
    Effect.callback<A>((resume) => {
      const look = () => {
        const found = find(said[stream])
        if (found !== undefined) resume(Effect.succeed(found))
      }
      const giveUp = () => resume(Effect.die(new Error(`The command ended: ${JSON.stringify(said)}`)))
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
    until,
    write: (text: string) => Effect.sync(() => void child.stdin.write(text)),
    closeInput: Effect.sync(() => void child.stdin.end()),
    /** Closes its outputs, as a terminal does that goes away. */
    closeOutputs: Effect.sync(() => {
      child.stdout.destroy()
      child.stderr.destroy()
    }),
    signal: (signal: NodeJS.Signals) => Effect.sync(() => void child.kill(signal)),
    finished: Effect.promise(async (): Promise<Finished> => {
      await closed
      return { exitCode: child.exitCode, ...said }
    })
  }
})

/** Starts the command with its whole standard input. */
export const startGateway = Effect.fnUntraced(function* (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {},
  input = ""
) {
  const { closeInput, closeOutputs, finished, pid, signal, until, write } = yield* startCommand(args, env)
  if (input !== "") yield* write(input)
  yield* closeInput
  return {
    pid,
    firstLine: until("stdout", (text) => /^(.*)\n/.exec(text)?.[1]),
    logged: (text) => until("stderr", (all) => (all.includes(text) ? true : undefined)).pipe(Effect.asVoid),
    signal,
    closeOutputs,
    finished
  } satisfies GatewayProcess
})

/** Runs the command to its end, with its whole standard input. */
export const runGateway = (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {},
  input = ""
) => Effect.scoped(Effect.flatMap(startGateway(args, env, input), ({ finished }) => finished))

/** `serve` on a free port, ready for clients. */
export const serve = Effect.fnUntraced(function* (
  document: object,
  args: ReadonlyArray<string> = [],
  env: Readonly<Record<string, string>> = {}
) {
  const config = yield* writeConfig(document)
  const gateway = yield* startGateway(["serve", "--config", config, "--port", "0", ...args], env)
  return { ...gateway, url: yield* gateway.firstLine }
})

export const writeConfig = (document: object) => writeFile("gateway.json", JSON.stringify(document))

/** An entry for a server at a URL of this machine, with the token of an authorization server there. */
export const entry = (name: string, url: string, tokenUrl: string, oauth: object = {}) => ({
  server_name: name,
  config: { url },
  oauth: {
    enabled: true,
    token_url: tokenUrl,
    client_id: "client",
    client_secret: "${env:CLIENT_SECRET}",
    enforce_https: false,
    ...oauth
  }
})

export const secretEnvironment = { CLIENT_SECRET: "s3cret-of-the-client" }
