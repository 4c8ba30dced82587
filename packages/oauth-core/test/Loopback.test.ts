import { assert, describe, it } from "@effect/vitest"
import { isLoopbackHost } from "@secure-mcp/oauth-core"

describe("isLoopbackHost", () => {
  it.each(["localhost", "auth.localhost", "127.0.0.1", "127.255.0.9", "[::1]", "::1"])(
    "%s is a loopback host",
    (host) => {
      assert.isTrue(isLoopbackHost(host))
    }
  )

  const others =
    "example.com notlocalhost localhost.example 127.0.0.1.example 128.0.0.1 1127.0.0.1 127.0.0 0.0.0.0 [::]"
  it.each(others.split(" "))("%s is not a loopback host", (host) => {
    assert.isFalse(isLoopbackHost(host))
  })
})
