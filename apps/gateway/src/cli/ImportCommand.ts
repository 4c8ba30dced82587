import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import type { Imported } from "../import/Import.ts"
import { failCommand } from "./CommandFailure.ts"
import { callersPath } from "./ConfigFlag.ts"

/** `import`: makes a configuration of the gateway of other programs' files. */
export const ImportCommand = Command.make(
  "import",
  {
    files: Argument.String("FILE").pipe(
      Argument.withDescription("A file of an MCP client, or of enkryptai/secure-mcp-gateway"),
      Argument.variadic({ min: 1 })
    ),
    out: Flag.String("out").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("Where to write the configuration; default: standard output"),
      Flag.optional
    ),
    force: Flag.Boolean("force").pipe(
      Flag.withDescription("Replace the file of --out if it is there"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ files: given, force, out }) {
    const files = yield* Effect.forEach(given, callersPath)
    // Loaded only where it is wanted: other commands start sooner without it.
    const { importFiles } = yield* Effect.promise(() => import("../import/Import.ts"))
    const imported = yield* importFiles(files).pipe(
      Effect.catch((problems) => failCommand(problems.join("\n")))
    )
    const { servers } = imported.document
    if (servers.length === 0) {
      return yield* failCommand([...imported.remarks, "No server could be carried over."].join("\n"))
    }
    const text = `${JSON.stringify(imported.document, undefined, 2)}\n`
    if (Option.isNone(out)) {
      yield* Console.log(text.trimEnd())
      return yield* Console.error(report(imported))
    }
    yield* write(yield* callersPath(out.value), text, { force, read: files })
    const count = `${servers.length} server${servers.length === 1 ? "" : "s"}`
    yield* Console.error(
      [`${out.value} holds ${count}.`, report(imported)].filter((part) => part !== "").join("\n")
    )
  })
).pipe(Command.withDescription("Make a configuration of other programs' files; secrets become variables"))

const write = Effect.fnUntraced(function* (
  target: string,
  text: string,
  options: { readonly force: boolean; readonly read: ReadonlyArray<string> }
) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const real = (file: string) => Effect.orElseSucceed(files.realPath(file), () => path.resolve(file))
  const own = yield* real(target)
  const sources = yield* Effect.forEach(options.read, real)
  if (sources.includes(own))
    return yield* failCommand(`${target} is one of the files to read, which are not changed`)
  yield* files
    .writeFileString(target, text, { flag: options.force ? "w" : "wx" })
    .pipe(
      Effect.catch(({ reason }) =>
        failCommand(
          reason._tag === "AlreadyExists"
            ? `${target} is there already: --force replaces it`
            : `${target} cannot be written (${reason._tag})`
        )
      )
    )
})

/** What was left out or changed, and the variables to set. */
const report = ({ remarks, variables }: Imported): string =>
  [
    ...(remarks.length === 0 ? [] : ["Left out or changed:", ...remarks.map((remark) => `  ${remark}`)]),
    ...(variables.length === 0
      ? []
      : [
          "Variables to set:",
          ...variables.map(({ name, servers }) => `  ${name} (${[...servers].join(", ")})`)
        ])
  ].join("\n")
