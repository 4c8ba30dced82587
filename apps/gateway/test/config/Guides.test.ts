import { assert, describe, it, layer } from "@effect/vitest"
import { OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import { importFiles } from "../../src/import/Import.ts"
import { importing, importingOne } from "../import/importing.ts"
import { TestLayer, writeFile } from "./configFile.ts"
import { blocksIn, textOf } from "./pages.ts"

/** The rows of a table whose first column has a head. */
const rowsOf = (page: string, head: string): ReadonlyArray<readonly [string, string]> => {
  const [, table = ""] = textOf(page).split(new RegExp(`^\\| ${head} .*\\n\\|[- |]+\\n`, "m"))
  const [rows = ""] = table.split("\n\n")
  return rows.split("\n").map((row) => {
    const [, there = "", here = ""] = row.split("|")
    return [there.trim(), here.trim()]
  })
}

/** What follows the URL of `mcp-remote` for each row of the guide to moving. */
const mcpRemoteArguments: Readonly<Record<string, ReadonlyArray<string>>> = {
  '`--header "Name: value"`': ["--header", "X-Team: blue"],
  "a port after the URL, `--host`": ["3334", "--host", "localhost"],
  "`--static-oauth-client-info`": ["--static-oauth-client-info", '{"client_id":"c","client_secret":"s"}'],
  "`--static-oauth-client-metadata`": [
    "--static-oauth-client-metadata",
    '{"scope":"read","client_name":"me"}'
  ],
  "`--resource`": ["--resource", "https://host.example/"],
  "`--disable-resource-parameter`": ["--disable-resource-parameter"],
  "`--transport sse-only`, `sse-first`": ["--transport", "sse-first"],
  "`--transport http-only`, `http-first`": ["--transport", "http-first"]
}

describe("the files in the guides", () => {
  layer(TestLayer)((it) => {
    it.effect("each file of an MCP client leads to the gateway", () =>
      Effect.gen(function* () {
        const files = blocksIn("docs/guides/clients.md", "json").filter(
          (json) => !json.includes('"server_name"')
        )
        assert.lengthOf(files, 5)
        for (const json of files) {
          assert.match(json, /"http:\/\/127\.0\.0\.1:8787\/servers\/notes\/mcp"|"stdio", "notes"/)
          const { document } = yield* importFiles([yield* writeFile("client.json", json)])
          assert.include(JSON.stringify(document), '"server_name":"notes"')
        }
      })
    )

    it.effect("each flag of mcp-remote becomes what the guide to moving says", () =>
      Effect.gen(function* () {
        const rows = rowsOf("docs/guides/moving.md", "mcp-remote").filter(
          ([there]) => there !== "`mcp-remote https://host/mcp`" && there !== "`~/.mcp-auth`"
        )
        assert.deepStrictEqual(
          rows.map(([there]) => there),
          Object.keys(mcpRemoteArguments)
        )
        const plain = yield* importingOne({
          command: "npx",
          args: ["mcp-remote", "https://host.example/mcp"]
        })
        for (const [there, here] of rows) {
          const args = ["mcp-remote", "https://host.example/mcp", ...(mcpRemoteArguments[there] ?? [])]
          const { server } = yield* importingOne({ command: "npx", args })
          const keys = [...here.matchAll(/`(config|oauth)\.(\w+)(?:: (\S+))?`/g)]
          if (keys.length === 0) assert.deepStrictEqual(server, plain.server, there)
          for (const [, part = "", key = "", value] of keys) {
            const found: unknown = Reflect.get(Object(Reflect.get(server, part)), key)
            assert.isDefined(found, `${there}: ${part}.${key}`)
            if (value !== undefined) assert.strictEqual(JSON.stringify(found), value)
          }
        }
      })
    )

    it.effect("what the guide to moving leaves out of a file of Enkrypt is named as left out", () =>
      Effect.gen(function* () {
        const [there = ""] =
          rowsOf("docs/guides/moving.md", "there").find(([cell]) => cell.includes("guardrails")) ?? []
        const parts = Array.from(there.matchAll(/`(\w+)`/g), ([, name = ""]) => name)
        assert.isAbove(parts.length, 4)
        const { remarks } = yield* importing({
          "enkrypt_mcp_config.json": {
            ...Object.fromEntries(parts.map((name) => [name, { some: "thing" }])),
            mcp_configs: { one: { mcp_config: [{ server_name: "orders", config: { command: "a" } }] } }
          }
        })
        for (const name of parts)
          assert.isTrue(
            remarks.some((remark) => remark.includes(`\`${name}\` is left out`)),
            name
          )
      })
    )
  })

  it("the guide to errors has each reason, and says whether it is retryable", () => {
    const rows = [
      ...textOf("docs/guides/errors.md").matchAll(/^\| `(?<name>\w+)` +\|[^|]+\| (?<retryable>[^|]+?) +\|/gm)
    ]
    const names = OAuthErrorReason.members.map(({ fields }) => fields._tag.schema.literal)
    assert.deepStrictEqual(rows.map(({ groups }) => groups?.["name"]).toSorted(), [...names].toSorted())
  })
})
