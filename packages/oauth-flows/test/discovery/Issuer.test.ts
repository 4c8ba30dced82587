import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assertionAudience, responseIssuers } from "../../src/discovery/Issuer.ts"
import { makeLog } from "../TestGrants.ts"
import { assertFailsWith, makeLogin, responseTo } from "../TestLogin.ts"
import { Answer } from "@secure-mcp/testing"
import { discoveredRequest, makeResolutionOn, metadataOf, plain } from "../TestResolution.ts"

const client = { client_id: "gateway" }
const issuer = "https://as.example"
const server = "https://mcp.example/mcp"
const allow = { ...client, issuer_mismatch: "allow" }

const web = (named: string, metadata: Readonly<Record<string, unknown>>) => ({
  "https://mcp.example/.well-known/oauth-protected-resource/mcp": {
    resource: server,
    authorization_servers: [named]
  },
  [`${new URL(named).origin}/.well-known/oauth-authorization-server${new URL(named).pathname.replace(/\/$/, "")}`]:
    metadata
})

describe("an issuer and the name its document has", () => {
  it.effect.each([
    [`${issuer}/`, issuer],
    [issuer, `${issuer}/`]
  ] as const)("the issuer %s without a path is the same as %s", ([asked, own]) =>
    Effect.gen(function* () {
      const { targets } = yield* makeResolutionOn(web(asked, { ...metadataOf(issuer), issuer: own }))
      const found = yield* targets.resolve(discoveredRequest(server, client))
      assert.strictEqual(found.issuer, asked)
      assert.strictEqual(found.metadata?.issuer, own)
      assert.strictEqual(found.client.audience, own)
    })
  )

  it.effect(
    "another name is used with `issuer_mismatch`, with one warning; what was asked stays the identity",
    () =>
      Effect.gen(function* () {
        const asked = `${issuer}/tenant`
        const { targets } = yield* makeResolutionOn(web(asked, metadataOf(issuer)))
        const { lines, record } = makeLog()
        const found = yield* record(
          Effect.andThen(
            targets.resolve(discoveredRequest(server, allow)),
            targets.resolve(discoveredRequest(server, { ...allow, scope: "a" }))
          )
        )
        assert.strictEqual(found.issuer, asked)
        assert.strictEqual(found.tokenEndpoint.url, `${issuer}/token`)
        assert.strictEqual(
          found.client.audience,
          asked,
          "the document does not choose who an assertion is for"
        )
        const warnings = lines.filter((line) => line.includes("issuer_mismatch"))
        assert.lengthOf(warnings, 1)
        assert.include(warnings[0], asked)
        const reason = yield* Effect.flip(targets.resolve(discoveredRequest(server, client)))
        assert.include(reason.message, 'set `issuer_mismatch` to "allow"')
      })
  )

  it.effect("a document with the right name goes before one with another name", () =>
    Effect.gen(function* () {
      const { targets } = yield* makeResolutionOn({
        ...web(issuer, { ...metadataOf("https://other.example") }),
        [`${issuer}/.well-known/openid-configuration`]: metadataOf(issuer)
      })
      const found = yield* targets.resolve(discoveredRequest(server, allow))
      assert.strictEqual(found.tokenEndpoint.url, `${issuer}/token`)
    })
  )

  it.effect("a name without https is never used for an issuer with it", () =>
    Effect.gen(function* () {
      const metadata = { ...metadataOf(issuer), issuer: "http://as.example" }
      const { targets } = yield* makeResolutionOn(web(issuer, metadata))
      const reason = yield* Effect.flip(
        targets.resolve(discoveredRequest(server, { ...allow, enforce_https: false }))
      )
      assert.deepInclude(plain(reason), { _tag: "DiscoveryFailed" })
      assert.include(reason.message, "A name without https is never used")
    })
  )

  it.effect("under another name the endpoints are still held to https", () =>
    Effect.gen(function* () {
      const metadata = { ...metadataOf("http://evil.example"), issuer: "https://evil.example" }
      const { targets } = yield* makeResolutionOn(web(issuer, metadata))
      const request = discoveredRequest(server, { ...allow, enforce_https: false })
      const reason = yield* Effect.flip(targets.resolve(request))
      assert.include(reason.message, "its `token_endpoint` must be https")
    })
  )
})

describe("the `iss` of a response (RFC 9207)", () => {
  it("the `iss` is the document's own text, byte for byte", () => {
    assert.deepStrictEqual(responseIssuers(`${issuer}/`, issuer, `${issuer}/authorize`), [issuer])
    assert.deepStrictEqual(responseIssuers(issuer, issuer, "https://login.example/authorize"), [issuer])
  })

  it("the `iss` may be the issuer that was asked and the origin of the endpoint where the names differ", () => {
    assert.deepStrictEqual(
      responseIssuers(`${issuer}/tenant`, "https://own.example", "https://login.example/a?b"),
      [`${issuer}/tenant`, "https://own.example", "https://login.example"]
    )
  })

  it("a document under another name does not choose the audience of assertions", () => {
    assert.strictEqual(assertionAudience(issuer, "https://victim.example"), issuer)
    assert.strictEqual(assertionAudience(`${issuer}/`, issuer), issuer)
  })

  it.effect("an `iss` with a slash that the document lacks is refused", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin()
      yield* server.always("/token", Answer.token())
      const url = yield* begin()
      yield* assertFailsWith(
        grants.redeem(responseTo(url, { iss: `${server.url}/` })),
        "AuthorizationResponseInvalid"
      )
      yield* grants.redeem(responseTo(url))
    })
  )

  it.effect(
    "with `issuer_mismatch` the `iss` of another server is refused, and each name of this one accepted",
    () =>
      Effect.gen(function* () {
        const { begin, grants, request, server } = yield* makeLogin(
          { issuer: "https://own.example" },
          { issuer_mismatch: "allow" }
        )
        yield* server.always("/token", Answer.token())
        for (const [index, iss] of [server.url, "https://own.example"].entries()) {
          const url = yield* begin({ ...request, subject: String(index) })
          yield* assertFailsWith(
            grants.redeem(responseTo(url, { iss: "https://evil.example" })),
            "AuthorizationResponseInvalid"
          )
          const { token } = yield* grants.redeem(responseTo(url, { iss }))
          assert.strictEqual(token.grantedTo?.issuer, server.url)
        }
      })
  )
})
