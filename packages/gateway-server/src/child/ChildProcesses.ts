import type { ChildProcess, SpawnOptions } from "node:child_process"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { ConnectionFailed } from "../jsonrpc/MessageConnection.ts"
import { childEnvironment, type ChildCommand } from "./ChildCommand.ts"
import type { ChildEnd } from "./ChildEnd.ts"
import { currentSystem, type ProcessSystem } from "./ProcessSystem.ts"
import { processTree, type ProcessTree } from "./ProcessTree.ts"
import { findProgram } from "./ProgramSearch.ts"
import { startProblem } from "./StartProblem.ts"
import { makeWatchdog } from "./Watchdog.ts"

/** Where the standard streams of a child lead: to this process, to where those of this process lead, or only its errors here. */
export type ChildStreams = "pipe" | "inherit" | "pipeErrors"

/** A child process that was started. */
export interface StartedChild {
  /** Node's own, with its standard streams. */
  readonly process: ChildProcess
  /** Completes when the child itself has ended. What it has started may still run. */
  readonly ended: Effect.Effect<ChildEnd>
  /**
   * Signals the child and all that it has started, if any of it is left; after the grace SIGKILL follows. Completes when
   * all of it has ended.
   */
  readonly terminate: (signal: NodeJS.Signals, grace: Duration.Input) => Effect.Effect<void>
}

/**
 * Starts child processes, as `cross-spawn` does: on Windows a name such as `npx` finds `npx.cmd`.
 *
 * A child gets a process group of its own, so that nothing it has started is left behind: not when the scope closes, not
 * when this process ends otherwise. It has no terminal then that could stop or signal it; standard streams that are a terminal
 * work nevertheless.
 */
export class ChildProcesses extends Context.Service<
  ChildProcesses,
  {
    /**
     * Starts a child, which is terminated with the scope.
     *
     * @param stdio whether its standard streams are pipes or those of this process; its error output may be a pipe alone
     */
    readonly start: (
      serverName: string,
      command: ChildCommand,
      stdio: ChildStreams
    ) => Effect.Effect<StartedChild, ConnectionFailed, Scope.Scope>
  }
>()("@secure-mcp/gateway/ChildProcesses") {
  static readonly layer = Layer.suspend(() => ChildProcesses.layerSystem(currentSystem))

  static readonly layerSystem = (system: ProcessSystem) => Layer.effect(ChildProcesses, make(system))
}

/** How long a child may take to end after SIGTERM. */
const terminationGrace = "2 seconds"

const make = Effect.fnUntraced(function* (system: ProcessSystem) {
  const services = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
  const watchdog = yield* makeWatchdog(system.platform)
  const trees = new Set<ProcessTree>()
  const killAll = () => {
    for (const tree of trees) tree.signal("SIGKILL")
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on("exit", killAll)),
    () => Effect.sync(() => process.off("exit", killAll))
  )

  const start = Effect.fnUntraced(function* (serverName: string, command: ChildCommand, stdio: ChildStreams) {
    const child = yield* spawn(command, stdio, system).pipe(
      Effect.catch((code) =>
        Effect.flatMap(startProblem(command, code), (problem) =>
          Effect.fail(
            new ConnectionFailed({
              serverName,
              problem: `The command of MCP server "${serverName}" could not be started: ${problem}`
            })
          )
        )
      ),
      Effect.provideContext(services)
    )
    const tree = processTree(child, system)
    const ended = yield* Deferred.make<ChildEnd>()
    trees.add(tree)
    if (child.pid !== undefined) watchdog.add(child.pid)
    const forget = () => {
      if (trees.delete(tree) && child.pid !== undefined) watchdog.remove(child.pid)
    }
    const end = (childEnd: ChildEnd) => {
      if (!tree.isAlive()) forget()
      Deferred.doneUnsafe(ended, Effect.succeed(childEnd))
    }
    const endNow = () => end({ code: child.exitCode ?? undefined, signal: child.signalCode ?? undefined })
    child.on("exit", endNow)
    // `cross-spawn` emits it in place of "exit" if a program is gone that was there a moment ago.
    child.on("error", endNow)
    if (child.exitCode !== null || child.signalCode !== null) endNow()

    // Interrupted, it leaves the child to the next call: that of the scope at the latest.
    const terminate: StartedChild["terminate"] = Effect.fnUntraced(function* (signal, grace) {
      if (!trees.has(tree)) return
      if (tree.isAlive()) {
        tree.signal(signal)
        const isGone = yield* Effect.timeoutOption(untilGone(tree), grace)
        if (Option.isNone(isGone)) {
          tree.signal("SIGKILL")
          // What is left now has ended, and nobody has collected it: the first process of a container need not.
          yield* untilGone(tree, 500)
        }
      }
      forget()
    })
    return { process: child, ended: Deferred.await(ended), terminate } satisfies StartedChild
  })

  return {
    start: (serverName, command, stdio) =>
      Effect.acquireRelease(start(serverName, command, stdio), ({ terminate }) =>
        terminate("SIGTERM", terminationGrace)
      )
  } satisfies ChildProcesses["Service"]
})

const spawnOptions = (
  command: ChildCommand,
  stdio: ChildStreams,
  platform: NodeJS.Platform
): SpawnOptions => ({
  cwd: command.cwd,
  env: plain(childEnvironment(command, platform)),
  stdio: stdio === "pipeErrors" ? ["inherit", "inherit", "pipe"] : stdio,
  detached: platform !== "win32",
  windowsHide: true
})

const plain = (environment: Readonly<Record<string, string | Redacted.Redacted>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      Redacted.isRedacted(value) ? Redacted.value(value) : value
    ])
  )

/** Fails with the code of the system's error. Node's error itself quotes arguments and variables. */
const spawn = Effect.fnUntraced(function* (
  command: ChildCommand,
  stdio: ChildStreams,
  { platform, spawn }: ProcessSystem
) {
  // There a shell would look for the program, start in any case, and say in the system's language that there is none.
  if (platform === "win32" && (yield* findProgram(command, platform)) === undefined)
    return yield* Effect.fail("ENOENT")
  return yield* Effect.callback<ChildProcess, string>((resume) => {
    const attempt = Result.try({
      try: () => spawn(command.command, command.args, spawnOptions(command, stdio, platform)),
      catch: codeOf
    })
    if (Result.isFailure(attempt)) return resume(Effect.fail(attempt.failure))
    const child = attempt.success
    child.once("spawn", () => resume(Effect.succeed(child)))
    child.once("error", (error) => resume(Effect.fail(codeOf(error))))
    // A write to a child that does not read any more fails here as well as where it was made.
    child.stdin?.on("error", () => {})
  })
})

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unknown error"

/**
 * Completes when a tree has ended.
 *
 * @param limit milliseconds after which it completes anyway: what cannot be killed is left to the system
 */
const untilGone = (tree: ProcessTree, limit = Number.POSITIVE_INFINITY): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const begun = performance.now()
    const look = () => {
      if (tree.isAlive() && performance.now() - begun < limit) return
      clearInterval(poll)
      resume(Effect.void)
    }
    const poll = setInterval(look, 20)
    look()
    return Effect.sync(() => clearInterval(poll))
  })
