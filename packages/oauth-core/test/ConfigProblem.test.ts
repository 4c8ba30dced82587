import { assert, describe, it } from "@effect/vitest"
import { ConfigError, formatPath, problemsAt } from "@secure-mcp/oauth-core"

describe("formatPath", () => {
  it.each<readonly [path: ReadonlyArray<PropertyKey>, text: string]>([
    [[], "(root)"],
    [["servers", 0, "oauth", "token_url"], "servers[0].oauth.token_url"],
    [["custom_headers", "X-Key"], "custom_headers.X-Key"],
    [["custom_headers", "X Key"], 'custom_headers["X Key"]'],
    [["a.b", ""], '["a.b"][""]']
  ])("the path %j is formatted as %s", (path, text) => {
    assert.strictEqual(formatPath(path), text)
  })
})

describe("ConfigError", () => {
  it("a ConfigError lists every problem under its place in the document", () => {
    const problems = problemsAt(
      ["servers", 2],
      [
        { path: ["oauth", "scope"], message: "must not be empty" },
        { path: [], message: "is wrong" }
      ]
    )
    assert.strictEqual(
      new ConfigError({ problems }).message,
      "2 configuration problems:\n  servers[2].oauth.scope: must not be empty\n  servers[2]: is wrong"
    )
    assert.strictEqual(
      new ConfigError({ problems: problems.slice(1) }).message,
      "1 configuration problem:\n  servers[2]: is wrong"
    )
  })
})
