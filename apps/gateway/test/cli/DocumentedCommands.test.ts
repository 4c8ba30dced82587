import * as NodeServices from "@effect/platform-node/NodeServices"
import { DefaultUserAgent } from "@secure-mcp/gateway-server/internal"
import { assert, describe, it } from "@effect/vitest"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import type * as HelpDoc from "effect/cli/HelpDoc"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cli } from "../../src/cli/Cli.ts"
import { makeStopSignal, StopSignal } from "../../src/cli/process/StopSignal.ts"
import { pages, textOf } from "../config/pages.ts"

/** What `--help` says of a command. */
const helpOf = Effect.fnUntraced(function* (path: ReadonlyArray<string>) {
  const shown: Array<HelpDoc.HelpDoc> = []
  yield* Command.runWith(cli, { version: "1.0.0" })([...path, "--help"]).pipe(
    Effect.provide(
      Layer.mergeAll(
        NodeServices.layer,
        Layer.succeed(StopSignal, makeStopSignal()),
        Layer.succeed(DefaultUserAgent, "test"),
        CliOutput.layerPresenter({
          present: (event) => Effect.sync(() => void (event._tag === "Help" && shown.push(event.helpDoc)))
        })
      )
    )
  )
  const [help] = shown
  return help ?? (yield* Effect.die(new Error(`There is no help for ${path.join(" ")}`)))
})

const spellingsOf = (flags: ReadonlyArray<HelpDoc.FlagDoc> = []) =>
  flags.flatMap(({ aliases, name, type }) => [
    `--${name}`,
    ...aliases,
    ...(type === "boolean" ? [`--no-${name}`] : [])
  ])

interface DocumentedCommand {
  /** The names of its own flags. */
  readonly flags: ReadonlyArray<string>
  /** What may stand on its command line, the flags of all commands included. */
  readonly accepted: ReadonlySet<string>
}

/** Each command by its words, such as `tokens list`. */
const commands = Effect.gen(function* () {
  const found = new Map<string, DocumentedCommand>()
  const add = (path: ReadonlyArray<string>): Effect.Effect<void> =>
    Effect.gen(function* () {
      const { flags, globalFlags, subcommands = [] } = yield* Effect.orDie(helpOf(path))
      const names = subcommands.flatMap((group) => group.commands.map(({ name }) => name))
      const accepted = new Set([...spellingsOf(flags), ...spellingsOf(globalFlags)])
      if (names.length === 0) found.set(path.join(" "), { flags: flags.map(({ name }) => name), accepted })
      yield* Effect.forEach(names, (name) => add([...path, name]), { discard: true })
    })
  yield* add([])
  return found
})

/** The command lines of the gateway on a page, without its name: in code, and without what a shell would not give it. */
const commandLinesIn = (text: string): ReadonlyArray<ReadonlyArray<string>> =>
  [...text.matchAll(/(?:@secure-mcp\/gateway|secure-mcp-gateway) (?<line>[a-z]+\b[^\n`#"|]*)/g)]
    .filter(({ index }) => isInCode(text, index))
    .map(({ groups }) => (groups?.["line"] ?? "").trim().split(/\s+/))

/** In a block of code, or between backticks of its line. */
const isInCode = (text: string, index: number): boolean => {
  const before = text.slice(0, index)
  const line = before.slice(before.lastIndexOf("\n") + 1)
  return before.split(/^```/m).length % 2 === 0 || line.split("`").length % 2 === 0
}

describe("the commands on a page", () => {
  it.effect.each(pages)("each command line on %s names a command and flags that there are", (page) =>
    Effect.gen(function* () {
      const known = yield* commands
      for (const words of commandLinesIn(textOf(page))) {
        const command = known.get(words.slice(0, 2).join(" ")) ?? known.get(words[0] ?? "")
        const flags = words.filter((word) => word.startsWith("-")).map((word) => word.split("=")[0] ?? "")
        assert.isDefined(command, words.join(" "))
        assert.deepStrictEqual(
          flags.filter((flag) => !command?.accepted.has(flag)),
          [],
          words.join(" ")
        )
      }
    })
  )

  it.effect("the operator's manual has each command, with all flags of it", () =>
    Effect.gen(function* () {
      const known = yield* commands
      const [, section = ""] = textOf("docs/gateway.md").split(/^## Commands$/m)
      const [table = ""] = section.split(/^## /m)
      const rows = new Map(
        [...table.matchAll(/^\| `(?<words>[a-z]+(?: [a-z]+)?)(?<rest>[^`]*)` +\|/gm)].map(({ groups }) => [
          groups?.["words"] ?? "",
          Array.from((groups?.["rest"] ?? "").matchAll(/--(?:no-)?([a-z-]+)/g), ([, flag = ""]) => flag)
        ])
      )
      assert.deepStrictEqual(
        [...rows].map(([words, flags]) => [words, flags.toSorted()]).toSorted(),
        [...known].map(([words, { flags }]) => [words, [...flags].toSorted()]).toSorted()
      )
    })
  )

  it("command lines are found in code, with and without npx, and nowhere else", () => {
    const text = [
      "Run secure-mcp-gateway now, or `secure-mcp-gateway check -c FILE`.",
      "```sh",
      "npx @secure-mcp/gateway token a --json  # a comment",
      "npm install @secure-mcp/gateway",
      "```"
    ].join("\n")
    assert.deepStrictEqual(commandLinesIn(text), [
      ["check", "-c", "FILE"],
      ["token", "a", "--json"]
    ])
  })
})
