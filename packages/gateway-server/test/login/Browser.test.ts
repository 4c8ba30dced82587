import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import { mkdtempSync, writeFileSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openBrowser } from "../../src/login/Browser.ts"

const url = "https://as.example/authorize?a=1&b=2"

/** A program that tells its arguments, and what it can read and write, through a pipe. */
const makeProgram = () => {
  const folder = mkdtempSync(join(tmpdir(), "browser-"))
  const [program, pipe] = [join(folder, "browser"), join(folder, "pipe")]
  execFileSync("mkfifo", [pipe])
  const files = "$(readlink /proc/$$/fd/0) $(readlink /proc/$$/fd/2)"
  writeFileSync(program, `#!/bin/sh\nprintf '%s\\n' "$@" "${files}" > ${pipe}\n`, { mode: 0o700 })
  return { program, told: Effect.promise(async () => (await readFile(pipe, "utf8")).trimEnd().split("\n")) }
}

const openWith = (browser: string) =>
  Effect.provide(openBrowser(url), [
    ConfigProvider.layer(ConfigProvider.fromUnknown({ BROWSER: browser })),
    NodeServices.layer
  ])

describe("the program in BROWSER", () => {
  const commands = [
    ["", []],
    [" --new-window", ["--new-window"]],
    ["  --profile  %s work", ["--profile", "work"]]
  ] as const
  it.effect.each(commands)("with %j behind its name it gets the URL as its last argument", ([words, args]) =>
    Effect.gen(function* () {
      const { program, told } = makeProgram()
      assert.isTrue(yield* openWith(program + words))
      assert.deepStrictEqual(yield* told, [...args, url, "/dev/null /dev/null"])
    })
  )

  it.effect("a program that is not there opens no browser", () =>
    Effect.gen(function* () {
      assert.isFalse(yield* openWith("/nowhere/browser"))
    })
  )
})
