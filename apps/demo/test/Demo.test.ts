import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../..", import.meta.url))

/** `npm run demo`, as a visitor types it. */
const runDemo = (...args: ReadonlyArray<string>) =>
  Effect.acquireUseRelease(
    Effect.sync(() =>
      spawn("npm", ["run", "--silent", "demo", "--", ...args], {
        cwd: root,
        stdio: ["ignore", "pipe", "pipe"],
        detached: true
      })
    ),
    (child) =>
      Effect.promise(async () => {
        const said = { stdout: "", stderr: "" }
        child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text))
        child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text))
        const [exitCode] = await once(child, "close")
        return { exitCode, ...said }
      }),
    (child) =>
      Effect.sync(() =>
        child.exitCode === null && child.pid !== undefined ? process.kill(-child.pid) : true
      )
  )

const companyHeadlines = [
  "The company",
  "The gateway",
  "Without a token",
  "Ada's client",
  "Ada logs in",
  "Ada calls a tool",
  "Bob calls a tool",
  "Exchanged",
  "Kept apart",
  "Another server",
  "New keys"
]

const headlinesIn = (text: string) => [...text.matchAll(/^ {2}(\S.*?) {2}/gm)].map(([, headline]) => headline)

const headlines = [
  "Token acquired",
  "Echoed over HTTP",
  "From the cache",
  "Echoed over stdio",
  "Forced refresh",
  "Token refused",
  "Outage survived",
  "Metrics",
  "Before the restart",
  "After the restart"
]

/** What was received before and after the restart of the gateway. */
const aroundRestart = (life: string) =>
  /Before the restart +Received token: (\S{20})\.\.\.\n +After the restart +Received token: (\S{20})\.\.\. (.*)\n/
    .exec(life)
    ?.slice(1) ?? []

describe("npm run demo", () => {
  it.effect(
    "npm run demo tells the life of a token with two stores, every step of it, and exits with 0",
    () =>
      Effect.gen(function* () {
        const { exitCode, stderr, stdout } = yield* runDemo()
        assert.strictEqual(exitCode, 0, stderr)
        const [title, inMemory = "", inSqlite = ""] = stdout.split("\nThe gateway's store: ")
        assert.include(title, "the life of a token")
        assert.match(inMemory, /^\{"type":"memory"\}\n/)
        assert.match(inSqlite, /^\{"type":"sqlite","url":".*tokens\.db"\}\n/)
        for (const life of [inMemory, inSqlite]) {
          assert.deepStrictEqual(headlinesIn(life), headlines)
          assert.match(life, /Received token: (?!No token)\S{20}\.\.\./)
          assert.match(life, /token_acquisitions_failure\s+0\n/)
        }
        assert.match(inSqlite, /Every step was as it should be\.\n$/)
        assert.notInclude(stdout + stderr, "a-secret-of-the-demo")

        const [forgotten, another, inBetween] = aroundRestart(inMemory)
        assert.isDefined(forgotten)
        assert.notStrictEqual(another, forgotten)
        assert.include(inBetween, "another one")
        const [stored, found, without] = aroundRestart(inSqlite)
        assert.isDefined(stored)
        assert.strictEqual(found, stored)
        assert.include(without, "no token request")
      })
  )

  it.effect("npm run demo -- company tells of two people and their own names, and exits with 0", () =>
    Effect.gen(function* () {
      const { exitCode, stderr, stdout } = yield* runDemo("company")
      assert.strictEqual(exitCode, 0, stderr)
      assert.deepStrictEqual(headlinesIn(stdout), companyHeadlines)
      assert.match(stdout, /Ada calls a tool +Subject: ada\n/)
      assert.match(stdout, /Bob calls a tool +Subject: bob /)
      assert.match(stdout, /Every step was as it should be\.\n$/)
      assert.notMatch(stdout + stderr, /a-secret-of-the-demo|eyJ/)
    })
  )

  it("one line of the demo's source swaps the store", () => {
    const lines = globSync("apps/demo/src/*.ts", { cwd: root })
      .flatMap((file) => readFileSync(join(root, file), "utf8").split("\n"))
      .filter((line) => line.includes("tellLife(servers, "))
    assert.deepStrictEqual(
      lines.map((line) => line.trim()),
      [
        'yield* tellLife(servers, { type: "memory" })',
        'yield* tellLife(servers, { type: "sqlite", url: `${directory}/tokens.db` })'
      ]
    )
  })
})
