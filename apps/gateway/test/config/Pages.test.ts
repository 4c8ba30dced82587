import { assert, describe, it, layer } from "@effect/vitest"
import { decodeServerEntry } from "@secure-mcp/transport-injection"
import { Certificates } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Result from "effect/Result"
import { load, TestLayer, writeFile } from "./configFile.ts"
import { blocksIn, pages } from "./pages.ts"

/** Every variable and file that a page names. */
const variables = Object.fromEntries(
  pages
    .flatMap((page) => blocksIn(page, "json"))
    .flatMap((json) => Array.from(json.matchAll(/\$\{env:(\w+)\}/g), ([, name = ""]) => name))
    .map((name) => [name, "the-value-of-a-variable"])
)
const environment = { ...variables, REDIS_URL: "redis://127.0.0.1:6379" }

/** What a block of JSON on a page is. */
const kindOf = (json: string): "configuration" | "entry" | "part" | "message" | "file of a client" => {
  // A part of a configuration is what stands between the braces of an object.
  if (!json.startsWith("{")) return "part"
  const document: object = JSON.parse(json)
  if ("server_name" in document) return "entry"
  if ("jsonrpc" in document) return "message"
  return JSON.stringify(document).includes('"server_name"') ? "configuration" : "file of a client"
}

const jsonOf = (page: string, ...kinds: ReadonlyArray<ReturnType<typeof kindOf>>) =>
  blocksIn(page, "json").filter((json) => kinds.includes(kindOf(json)))

/** A configuration that has the part: its keys are those of an `oauth` object, or of the file. */
const configurationWith = (part: string) => {
  const keys = JSON.parse(`{${part.trim().replace(/,$/, "")}}`) as object
  const oauth = { enabled: true, token_url: "https://auth.example.com/token", client_id: "a-client" }
  const isOfFile = "gateway" in keys || "store" in keys
  return {
    ...(isOfFile ? keys : {}),
    servers: [
      {
        server_name: "remote",
        config: { url: "https://api.example.com/mcp" },
        oauth: { ...oauth, client_secret: "a-secret", ...(isOfFile ? {} : keys) }
      }
    ]
  }
}

describe("the JSON on a page", () => {
  layer(TestLayer)((it) => {
    it.effect.each(pages)("each configuration on %s, and each part of one, is valid", (page) =>
      Effect.gen(function* () {
        const secret = yield* writeFile(
          "secret",
          Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString("base64")
        )
        const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
        const authority = yield* Certificates.makeAuthority("CA")
        const tls = yield* (yield* authority.issueServer()).writeTo(directory, "tls")
        const documents = [
          ...jsonOf(page, "configuration"),
          ...jsonOf(page, "part").map((part) => JSON.stringify(configurationWith(part)))
        ]
        for (const json of documents) {
          const here = json
            .replaceAll(/\$\{file:[^}]+\}/g, `\${file:${secret}}`)
            .replaceAll("/etc/gateway/tls.pem", tls.certificatePath)
            .replaceAll("/etc/gateway/tls.key", tls.privateKeyPath)
          const { servers } = yield* load(here, environment)
          assert.isAbove(servers.length, 0)
        }
      })
    )
  })

  it.each(pages)("each entry of servers on %s is valid", (page) => {
    for (const json of jsonOf(page, "entry"))
      assert.isTrue(Result.isSuccess(decodeServerEntry(JSON.parse(json))), json)
  })

  it("files of clients are in their guide alone, and every other block is checked as what it is", () => {
    const kinds = pages.flatMap((page) =>
      blocksIn(page, "json").map((json) => ({ page, kind: kindOf(json) }))
    )
    assert.deepStrictEqual(
      kinds.filter(({ kind, page }) => kind === "file of a client" && page !== "docs/guides/clients.md"),
      []
    )
    assert.isAbove(kinds.filter(({ kind }) => kind === "configuration").length, 5)
    assert.isAbove(kinds.filter(({ kind }) => kind === "part").length, 2)
  })
})
