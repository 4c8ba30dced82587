import { assert, describe, it } from "@effect/vitest"
import { decodeOAuthConfig, formatPath, oauthConfigWarnings } from "@secure-mcp/oauth-core"
import * as Result from "effect/Result"
import { clientCredentials } from "./WireConfig.ts"

const warningsOf = (keys: Readonly<Record<string, unknown>>) =>
  oauthConfigWarnings(Result.getOrThrow(decodeOAuthConfig({ ...clientCredentials, ...keys }))).map(
    ({ message, path }) => `${formatPath(path)}: ${message}`
  )

describe("oauthConfigWarnings", () => {
  it("a configuration at its defaults gives nothing up", () => {
    assert.deepStrictEqual(warningsOf({}), [])
  })

  it("`resource: false` leaves the audience of the token open", () => {
    assert.match(warningsOf({ resource: false }).join(), /^resource: the audience of the token is not bound/)
  })

  it("`issuer_mismatch: allow` uses metadata under another name", () => {
    assert.match(warningsOf({ issuer_mismatch: "allow" }).join(), /^issuer_mismatch: metadata that calls/)
  })
})
