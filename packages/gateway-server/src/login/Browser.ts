import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ChildProcess from "effect/process/ChildProcess"

/**
 * Opens a page in the person's browser: with the program in `$BROWSER`, else with the system's default. Returns whether a
 * browser was started; whether it shows the page is not known.
 */
export const openBrowser = Effect.fnUntraced(
  function* (url: string) {
    const browser = yield* Config.String("BROWSER").pipe(Config.option)
    if (Option.isSome(browser)) yield* runBrowser(browser.value, url)
    else yield* openWithSystem(url)
    return true
  },
  Effect.orElseSucceed(() => false)
)

/** Detached: the browser may run longer than the login. */
const runBrowser = Effect.fnUntraced(function* (command: string, url: string) {
  const [program = command, ...args] = command.split(" ").filter((word) => word !== "")
  yield* ChildProcess.make(program, [...args.filter((argument) => argument !== "%s"), url], {
    detached: true,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore"
  })
})

/** Loaded when it is used: it looks for what runs child processes when it is loaded, which most commands never need. */
const openWithSystem = (url: string) => Effect.tryPromise(async () => (await import("open")).default(url))
