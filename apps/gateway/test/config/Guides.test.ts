import { assert, describe, it, layer } from "@effect/vitest"
import { OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import { importFiles } from "../../src/import/Import.ts"
import { TestLayer, writeFile } from "./configFile.ts"
import { blocksIn, textOf } from "./pages.ts"

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
  })

  it("the guide to errors has each reason, and says whether it is retryable", () => {
    const rows = [
      ...textOf("docs/guides/errors.md").matchAll(/^\| `(?<name>\w+)` +\|[^|]+\| (?<retryable>[^|]+?) +\|/gm)
    ]
    const names = OAuthErrorReason.members.map(({ fields }) => fields._tag.schema.literal)
    assert.deepStrictEqual(rows.map(({ groups }) => groups?.["name"]).toSorted(), [...names].toSorted())
  })
})
