import { assert, describe, it } from "@effect/vitest"
import { redirectOf } from "../src/Redirect.ts"

const url = new URL("https://mcp.example/mcp?key=secret")

const decide = (status: number, location: string | undefined, method = "POST", alreadyFollowed = false) => {
  const decision = redirectOf(url, status, location, method, { alreadyFollowed })
  if (decision._tag === "Followed") return decision.url.href
  return decision._tag === "Refused" ? decision : undefined
}

const problemOf = (...given: Parameters<typeof decide>): string => {
  const decision = decide(...given)
  assert(typeof decision === "object", "the redirect is refused")
  return decision.problem
}

describe("redirectOf", () => {
  it.each([200, 204, 300, 304, 305, 404, 500])("status %i is no redirect", (status) =>
    assert.isUndefined(decide(status, "https://mcp.example/mcp/"))
  )

  it.each([
    ["https://mcp.example/mcp/", "https://mcp.example/mcp/"],
    ["https://mcp.example:443/mcp/", "https://mcp.example/mcp/"],
    ["HTTPS://MCP.EXAMPLE/mcp/", "https://mcp.example/mcp/"],
    ["/mcp/?key=other", "https://mcp.example/mcp/?key=other"],
    ["mcp/", "https://mcp.example/mcp/"],
    ["//mcp.example/other", "https://mcp.example/other"],
    ["/mcp/#part", "https://mcp.example/mcp/"]
  ])("307 and 308 to %s are followed for every method within the origin", (location, followed) => {
    for (const status of [307, 308])
      for (const method of ["POST", "GET", "DELETE"])
        assert.strictEqual(decide(status, location, method), followed)
  })

  it.each([301, 302, 303])(
    "status %i is followed for GET only, and the address to configure is named",
    (status) => {
      assert.strictEqual(decide(status, "/mcp/", "GET"), "https://mcp.example/mcp/")
      assert.include(problemOf(status, "/mcp/?q=1"), "https://mcp.example/mcp/,")
    }
  )

  it.each([
    ["https://other.example/mcp", "https://other.example"],
    ["//other.example/mcp", "https://other.example"],
    ["http://mcp.example/mcp", "http://mcp.example"],
    ["https://mcp.example:8443/mcp", "https://mcp.example:8443"],
    ["https://user:password@other.example/path?code=1", "https://other.example"],
    ["https://mcp.example@other.example/", "https://other.example"],
    ["\\\\other.example\\mcp", "https://other.example"],
    ["file:///etc/passwd", "file:"],
    ["javascript:alert(1)", "javascript:"]
  ])("a redirect to %s is refused with its origin and nothing more of it", (location, origin) => {
    for (const method of ["GET", "POST"]) {
      const problem = problemOf(307, location, method)
      assert.include(problem, origin)
      for (const part of ["password", "code=1", "/path", "/etc", "alert"]) assert.notInclude(problem, part)
    }
  })

  it("a redirect within the origin is refused if its address contains credentials", () =>
    assert.notInclude(problemOf(307, "https://user:password@mcp.example/mcp/", "GET"), "password"))

  it("a redirect is refused if its address is missing or unparsable", () => {
    assert.include(problemOf(307, undefined), "without a `Location`")
    assert.include(problemOf(308, "http://["), "no address")
  })

  it("a second redirect is refused with the address", () =>
    assert.include(problemOf(307, "/mcp/", "POST", true), "https://mcp.example/mcp/"))
})
