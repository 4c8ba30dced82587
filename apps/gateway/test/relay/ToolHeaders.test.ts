import { assert, describe, it } from "@effect/vitest"
import { makeToolHeaders } from "../../../../packages/gateway-server/src/relay/session/ToolHeaders.ts"

const tool = (name: string, header?: string) => ({
  name,
  inputSchema: {
    properties: { region: { type: "string", ...(header === undefined ? {} : { "x-mcp-header": header }) } }
  }
})
const call = (name: string) => ({ method: "tools/call", params: { name, arguments: { region: "eu" } } })

describe("the headers of tool calls", () => {
  it("a later list replaces what an earlier one said of a tool", () => {
    const headers = makeToolHeaders()
    headers.learn({ tools: [tool("a", "Region")] })
    assert.deepStrictEqual(headers.headersFor(call("a")), { "mcp-param-region": "eu" })
    headers.learn({ tools: [tool("a")] })
    assert.deepStrictEqual(headers.headersFor(call("a")), {})
  })

  it("tools without end take no memory without end: the oldest are forgotten", () => {
    const headers = makeToolHeaders()
    for (let page = 0; page < 11; page++)
      headers.learn({ tools: Array.from({ length: 1000 }, (_, index) => tool(`${page}-${index}`, "Region")) })
    assert.deepStrictEqual(headers.headersFor(call("0-0")), {})
    assert.deepStrictEqual(headers.headersFor(call("10-999")), { "mcp-param-region": "eu" })
  })
})
