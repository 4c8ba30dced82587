import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { clientNameOf } from "../../src/jsonrpc/ClientName.ts"
import { type JsonObject, makeRequest, metaKeys, readOnlyMessage } from "../../src/jsonrpc/JsonRpc.ts"

const initialize = (clientInfo: unknown) =>
  makeRequest(1, "initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo })

const withMeta = (clientInfo: unknown, params: JsonObject = {}) =>
  makeRequest(1, "tools/call", { ...params, _meta: { [metaKeys.clientInfo]: clientInfo } })

const userAgent = "claude-code/2.1 (cli; linux) node/24"

describe("the name of an MCP client", () => {
  it("a client is called what its initialize says", () => {
    const message = initialize({ name: "claude-code", title: "Claude Code", version: "2.1" })
    assert.strictEqual(clientNameOf(message, "node"), "claude-code")
    assert.strictEqual(clientNameOf(initialize({ title: "Claude Code" }), "node"), "Claude Code")
  })

  it("a client of 2026-07-28 is called what the _meta of its request says", () => {
    assert.strictEqual(clientNameOf(withMeta({ name: "codex", version: "1" }), "node"), "codex")
  })

  it.effect("a client is called so in a message that is too long to be read as a whole, too", () =>
    Effect.gen(function* () {
      const { text } = withMeta({ name: "codex", version: "1" }, { arguments: { file: "x".repeat(100_000) } })
      assert.strictEqual(clientNameOf(yield* readOnlyMessage(text), undefined), "codex")
    })
  )

  it("a client that says nothing is called by the product of its User-Agent, else not at all", () => {
    const ping = makeRequest(1, "ping")
    assert.strictEqual(clientNameOf(ping, userAgent), "claude-code")
    assert.strictEqual(clientNameOf(undefined, "node"), "node")
    assert.isUndefined(clientNameOf(ping, undefined))
    for (const unusable of ["", "/1.0", "(comment) name/1", "<img src=x>", "\u001b[31m"])
      assert.isUndefined(clientNameOf(ping, unusable), unusable)
  })

  it("the clientInfo of another request than initialize does not count", () => {
    assert.isUndefined(clientNameOf(makeRequest(1, "tools/call", { clientInfo: { name: "x" } }), undefined))
  })

  for (const notAName of [undefined, null, 7, true, [], ["x"], { toString: "x" }, "", " \n", "\u200b\u202e"])
    it(`what is no name, or shows nothing, is passed over: ${JSON.stringify(notAName)}`, () => {
      assert.strictEqual(clientNameOf(initialize({ name: notAName }), userAgent), "claude-code")
      assert.strictEqual(clientNameOf(initialize({ name: notAName, title: "Title" }), userAgent), "Title")
      assert.strictEqual(clientNameOf(withMeta(notAName), userAgent), "claude-code")
    })

  const hostile = [
    ["a terminal's escapes", "evil\u001b[31m\u0007name", "evil [31m name"],
    ["line ends and tabs", "  one\r\ntwo\u2028three\tfour\u0085five ", "one two three four five"],
    ["characters that turn the line around or hide", "abc\u202edef\u2066g\u200bh\ufeff", "abcdefgh"],
    ["half characters", "a\ud800b\udc00c", "abc"],
    ["HTML, which is the business of pages", '<b>&"x"</b>', '<b>&"x"</b>'],
    ["a name of 100 characters", "x".repeat(100), "x".repeat(100)],
    ["a very long name", "x".repeat(60_000), "x".repeat(100)],
    ["a name cut within an emoji", `${"x".repeat(99)}😀😀`, "x".repeat(99)],
    ["a name cut after a space", `${"x".repeat(99)} y`, "x".repeat(99)]
  ] as const
  it.each(hostile)("a hostile name is one short line of text: %s", (_, name, shown) => {
    assert.strictEqual(clientNameOf(initialize({ name }), undefined), shown)
  })
})
