import { spawn, type ChildProcess } from "node:child_process"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Ends process groups when this process ends without having done so, even by SIGKILL. */
export interface Watchdog {
  readonly add: (group: number) => void
  readonly remove: (group: number) => void
}

/**
 * Reads which groups there are until its input ends, because the gateway has ended. One second later, when a
 * well-behaved server has noticed the end of its own input, the groups that are left get SIGTERM, and two seconds later SIGKILL.
 */
const script = `
trap "" HUP INT TERM
groups=" "
while read -r change group; do
  case $change in
    add) groups="$groups$group " ;;
    remove) groups="\${groups%% $group *} \${groups#* $group }" ;;
  esac
done
[ -n "\${groups## }" ] || exit 0
for signal in TERM KILL; do
  command -p sleep 1
  [ $signal = TERM ] || command -p sleep 1
  for group in $groups; do kill -s $signal -- "-$group"; done
done
`

/**
 * Makes a watchdog, a shell that is started with the first group and uses about a megabyte. Without a shell, and on
 * Windows, where the system ends the children of a process with it, it does nothing.
 */
export const makeWatchdog = (platform: NodeJS.Platform): Effect.Effect<Watchdog, never, Scope.Scope> =>
  Effect.gen(function* () {
    let shell: ChildProcess | undefined
    yield* Effect.addFinalizer(() => Effect.sync(() => shell?.stdin?.end()))
    const tell = (change: string, group: number) => {
      if (platform === "win32") return
      shell ??= startShell()
      if (shell.stdin?.writable === true) shell.stdin.write(`${change} ${group}\n`)
    }
    return { add: (group) => tell("add", group), remove: (group) => tell("remove", group) }
  })

const startShell = (): ChildProcess => {
  const shell = spawn("/bin/sh", ["-c", script, "secure-mcp-gateway-watchdog"], {
    stdio: ["pipe", "ignore", "ignore"],
    env: {},
    cwd: "/",
    // A signal for the gateway's group is not for the watchdog.
    detached: true
  })
  shell.on("error", () => {})
  shell.stdin.on("error", () => {})
  // It must not keep this process running.
  shell.unref()
  if ("unref" in shell.stdin && typeof shell.stdin.unref === "function") shell.stdin.unref()
  return shell
}
