import { assert, beforeAll, describe, it } from "@effect/vitest"
import { globSync } from "node:fs"
import { checkDocumentation, type Documentation, examplesIn } from "../src/Documentation.ts"
import { root, typeScriptFiles } from "../src/Workspace.ts"

/** What people import first, and must be able to copy. */
const mainExports = [
  "@secure-mcp/oauth-core OAuthService",
  "@secure-mcp/oauth-core decodeOAuthConfig",
  "@secure-mcp/oauth-flows OAuthFlows",
  "@secure-mcp/oauth-metrics OAuthMetrics",
  "@secure-mcp/mtls MtlsOAuthHttp",
  "@secure-mcp/transport-injection injectBearer",
  "@secure-mcp/transport-injection TokenInjector",
  "@secure-mcp/token-cache SingleFlightTokenCache",
  "@secure-mcp/token-cache TokenStore",
  "@secure-mcp/token-cache FileTokenStore",
  "@secure-mcp/token-cache/testing tokenStoreContract",
  "@secure-mcp/token-cache-redis RedisTokenStore",
  "@secure-mcp/token-cache-sql SqlTokenStore",
  "@secure-mcp/token-cache-sql/postgres PostgresConnection",
  "@secure-mcp/token-cache-sql/sqlite SqliteConnection",
  "@secure-mcp/oauth-client createOAuthClient",
  "@secure-mcp/oauth-client OAuthClientError"
]

const markdown = globSync(["*.md", "docs/**/*.md", "{packages,apps,examples,tools}/*/*.md"], {
  cwd: root
}).sort()

const examples = [...markdown, ...typeScriptFiles("{packages,apps}/*/src/**/*.ts")].flatMap((file) =>
  examplesIn(file)
)

const wrong = { place: "Wrong.md:1", code: "const text: string = 1" }

describe("the documentation", () => {
  const checked: { documentation?: Documentation } = {}
  beforeAll(() => {
    checked.documentation = checkDocumentation([...examples, wrong])
  })

  const documentation = (): Documentation => {
    assert.isDefined(checked.documentation)
    return checked.documentation
  }

  it("every public export of a published package has a docstring", () => {
    const { exports } = documentation()
    assert.isAbove(exports.length, 50)
    assert.deepStrictEqual(
      exports.filter(({ hasDocstring }) => !hasDocstring).map(({ file, name }) => `${name} (${file})`),
      []
    )
  })

  it.each(mainExports)("%s has an example", (name) => {
    const found = documentation().exports.find((exported) => exported.name === name)
    assert.isTrue(found?.hasExample, `${name} ${found === undefined ? "is not exported" : "has no @example"}`)
  })

  it("every example compiles", () => {
    assert.isAbove(examples.length, 5)
    assert.deepStrictEqual(documentation().exampleErrors, [
      "Wrong.md:1: Type 'number' is not assignable to type 'string'."
    ])
  })
})

describe("the examples of a file", () => {
  it("the examples of Markdown are its TypeScript blocks, with the line that each begins in", () => {
    const text = ["# Title", "```ts", "const a = 1", "```", "```sh", "ls", "```"].join("\n")
    assert.deepStrictEqual(examplesIn("A.md", text), [{ place: "A.md:2", code: "const a = 1\n" }])
  })

  it("the examples of a docstring are the blocks below @example", () => {
    const text = [
      "",
      "/**",
      " * Says it.",
      " *",
      " * @example",
      " * ```ts",
      " * const a = 1",
      " * ```",
      " */"
    ].join("\n")
    assert.deepStrictEqual(examplesIn("A.ts", text), [{ place: "A.ts:6", code: "const a = 1\n" }])
  })
})
