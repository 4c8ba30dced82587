import { assert, describe, it, layer } from "@effect/vitest"
import { OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import { globSync, readFileSync } from "node:fs"
import { importFiles } from "../../src/import/Import.ts"
import { load, TestLayer, writeFile } from "./configFile.ts"

const directory = new URL("../../../../docs/guides/", import.meta.url)
const pages = globSync("*.md", { cwd: directory }).toSorted()
const textOf = (page: string): string => readFileSync(new URL(page, directory), "utf8")

const jsonIn = (page: string): ReadonlyArray<string> =>
  [...textOf(page).matchAll(/^```json\n(?<json>[\s\S]*?)^```/gm)].map(({ groups }) => groups?.["json"] ?? "")

const isOurs = (json: string): boolean => json.includes('"server_name"')

/** Every variable and file that a guide names. */
const environment = {
  REDIS_URL: "redis://127.0.0.1:6379",
  GATEWAY_KEY: "a-key-of-sixteen-or-more",
  CLIENT_ID: "a-client",
  CLIENT_SECRET: "a-secret"
}

describe("the files in the guides", () => {
  layer(TestLayer)((it) => {
    it.effect.each(pages)("each configuration in %s is valid", (page) =>
      Effect.gen(function* () {
        const key = yield* writeFile(
          "token-key",
          Buffer.from(Array.from({ length: 32 }, (_, index) => index)).toString("base64")
        )
        for (const json of jsonIn(page).filter(isOurs)) {
          const { servers } = yield* load(json.replace("/run/secrets/token-key", key), environment)
          assert.isAbove(servers.length, 0)
        }
      })
    )

    it.effect("each file of an MCP client leads to the gateway", () =>
      Effect.gen(function* () {
        const files = jsonIn("clients.md").filter((json) => !isOurs(json))
        assert.lengthOf(files, 5)
        for (const json of files) {
          assert.match(json, /"http:\/\/127\.0\.0\.1:8787\/servers\/notes\/mcp"|"stdio", "notes"/)
          const { document } = yield* importFiles([yield* writeFile("client.json", json)])
          assert.include(JSON.stringify(document), '"server_name":"notes"')
        }
      })
    )
  })

  it("the guide to errors has each reason, and says whether it is retryable", () => {
    const rows = [...textOf("errors.md").matchAll(/^\| `(?<name>\w+)` +\|[^|]+\| (?<retryable>[^|]+?) +\|/gm)]
    const names = OAuthErrorReason.members.map(({ fields }) => fields._tag.schema.literal)
    assert.deepStrictEqual(rows.map(({ groups }) => groups?.["name"]).toSorted(), [...names].toSorted())
  })
})
