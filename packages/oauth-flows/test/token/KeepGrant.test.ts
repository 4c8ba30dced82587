import { assert, describe, it } from "@effect/vitest"
import type { KeepGrant } from "@secure-mcp/oauth-core"
import { OAuthToken } from "@secure-mcp/oauth-core"
import { Answer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { settle } from "../TestGrants.ts"
import {
  accessToken,
  assertFailsWith,
  failureOf,
  formsAt,
  makeLogin,
  redirectUri,
  refreshToken,
  responseTo
} from "../TestLogin.ts"

type Fields = Readonly<Record<string, unknown>>

/** A `keep` that records what it gets. */
const recorder = () => {
  const kept: Array<{ readonly serverName: string; readonly token: OAuthToken }> = []
  const keep: KeepGrant = ({ serverName }, token) => Effect.sync(() => void kept.push({ serverName, token }))
  return { keep, kept }
}

const summary = (kept: ReturnType<typeof recorder>["kept"]) =>
  kept.map(({ serverName, token }) => ({
    serverName,
    access: accessToken(token),
    refresh: refreshToken(token),
    reusable: token.reusable,
    scope: token.scope,
    clientId: token.grantedTo?.clientId
  }))

/** Answers whose access token cannot be used, and what is kept of it. */
const unusable: ReadonlyArray<readonly [name: string, fields: Fields, access: string, reason: string]> = [
  ["no access token", { access_token: undefined }, "", "InvalidResponse"],
  ["an access token that is no text", { access_token: 7 }, "", "InvalidResponse"],
  ["an empty access token", { access_token: "" }, "", "InvalidResponse"],
  ["an access token with a line break", { access_token: "a\nb" }, "a\nb", "InvalidResponse"],
  ["another token type", { token_type: "DPoP" }, "stub-access-token", "InvalidResponse"],
  ["a scope that is no text", { scope: 7 }, "stub-access-token", "InvalidResponse"]
]

const granted = (issuer: string | undefined, grantedScope: ReadonlyArray<string>) =>
  new OAuthToken({
    accessToken: Redacted.make("old"),
    refreshToken: Redacted.make("first"),
    tokenType: "Bearer",
    issuedAt: 0,
    reusable: true,
    scope: grantedScope,
    grantedTo: { clientId: "gateway", ...(issuer === undefined ? {} : { issuer }) }
  })

describe("a renewal whose access token is refused", () => {
  const grantTypes = [
    ["authorization_code", {}],
    ["device_code", {}],
    ["client_credentials", { client_secret: "s" }],
    ["jwt_bearer", { client_secret: "s", assertion: "a.b.c" }]
  ] as const

  const cases = grantTypes.flatMap(([grantType, oauth]) =>
    [
      ...unusable,
      ["less scope than asked", { scope: "a" }, "stub-access-token", "InsufficientScope"] as const
    ].map(([name, fields, access, reason]) => ({ grantType, oauth, name, fields, access, reason }))
  )

  it.effect.each(cases)(
    "a refused renewal keeps its new refresh token: $grantType, $name",
    ({ access, fields, grantType, oauth, reason }) =>
      Effect.gen(function* () {
        const { grants, request, server } = yield* makeLogin(
          {},
          { grant_type: grantType, scope: "a b", ...oauth }
        )
        const previous = granted(server.url, ["a", "b"])
        const { keep, kept } = recorder()
        yield* server.enqueue("/token", Answer.token({ refresh_token: "second", ...fields }))
        const failure = yield* failureOf(grants.acquire(request, previous, keep))
        assert.strictEqual(failure._tag, reason)
        assert.deepStrictEqual(summary(kept), [
          {
            serverName: "remote",
            access,
            refresh: "second",
            reusable: false,
            scope: ["a", "b"],
            clientId: "gateway"
          }
        ])
        // The next renewal sends the new one.
        yield* server.enqueue("/token", Answer.token({ refresh_token: "third" }))
        const next = yield* grants.acquire(request, kept[0]?.token, keep)
        assert.strictEqual(refreshToken(next), "third")
        assert.deepStrictEqual(
          (yield* formsAt(server)).map((form) => form["refresh_token"]),
          ["first", "second"]
        )
        assert.lengthOf(kept, 1)
      })
  )

  it.effect(
    "a refused renewal without a new refresh token keeps nothing, because the old one stays valid",
    () =>
      Effect.gen(function* () {
        const { grants, request, server } = yield* makeLogin({}, { scope: "a b" })
        const { keep, kept } = recorder()
        yield* server.enqueue("/token", Answer.token({ scope: "a" }))
        yield* assertFailsWith(
          grants.acquire(request, granted(server.url, ["a", "b"]), keep),
          "InsufficientScope"
        )
        assert.isEmpty(kept)
      })
  )

  it.effect("a refused renewal fails in the same way without a `keep`", () =>
    Effect.gen(function* () {
      const { grants, request, server } = yield* makeLogin({}, { scope: "a b" })
      yield* server.enqueue("/token", Answer.token({ scope: "a", refresh_token: "second" }))
      yield* assertFailsWith(grants.acquire(request, granted(server.url, ["a", "b"])), "InsufficientScope")
    })
  )
})

describe("a renewal that succeeds", () => {
  it.effect("a renewal that succeeds does not call `keep`", () =>
    Effect.gen(function* () {
      const { grants, request, server } = yield* makeLogin()
      const { keep, kept } = recorder()
      yield* server.enqueue("/token", Answer.token({ refresh_token: "second" }))
      yield* grants.acquire(request, granted(server.url, []), keep)
      assert.isEmpty(kept)
    })
  )
})

describe("the exchange of a code", () => {
  it.effect.each(unusable)("a code exchange keeps the refresh token beside %s", ([, fields, access]) =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin({}, { scope: "a b" })
      const { keep, kept } = recorder()
      yield* server.enqueue("/token", Answer.token({ refresh_token: "first", ...fields }))
      yield* assertFailsWith(grants.redeem(responseTo(yield* begin()), keep), "InvalidResponse")
      assert.deepStrictEqual(summary(kept), [
        {
          serverName: "remote",
          access,
          refresh: "first",
          reusable: false,
          scope: ["a", "b"],
          clientId: "gateway"
        }
      ])
      assert.isEmpty(yield* formsAt(server, "/revoke"))
    })
  )

  const lessScope = [
    ["its refresh token", { refresh_token: "first" }, "first", "refresh_token"],
    ["its access token where it has no refresh token", {}, "stub-access-token", "access_token"]
  ] as const

  it.effect.each(lessScope)(
    "a code exchange that brings less scope is refused, and revokes %s",
    ([, fields, revoked, hint]) =>
      Effect.gen(function* () {
        const { begin, grants, request, server } = yield* makeLogin({}, { scope: "a b" })
        const { keep, kept } = recorder()
        yield* server.always("/revoke", Answer.status(200))
        yield* server.enqueue("/token", Answer.token({ scope: "a", ...fields }))
        const failure = yield* failureOf(grants.redeem(responseTo(yield* begin()), keep))
        assert.deepInclude(failure, { _tag: "InsufficientScope", missing: ["b"] })
        assert.isEmpty(kept)
        assert.deepStrictEqual(yield* formsAt(server, "/revoke"), [
          { token: revoked, token_type_hint: hint, client_id: "gateway" }
        ])
        // There is no grant, so a person has to log in, by a new URL.
        yield* assertFailsWith(grants.acquire(request, undefined), "AuthorizationRequired")
        yield* grants.authorize(request, redirectUri)
      })
  )

  it.effect(
    "a code exchange that brings less scope is refused for that reason, also if revocation fails",
    () =>
      Effect.gen(function* () {
        const { begin, grants, server } = yield* makeLogin({}, { scope: "a b" })
        yield* server.always("/revoke", Answer.status(503))
        yield* server.enqueue("/token", Answer.token({ scope: "a", refresh_token: "first" }))
        yield* assertFailsWith(grants.redeem(responseTo(yield* begin())), "InsufficientScope")
        assert.lengthOf(yield* formsAt(server, "/revoke"), 1)
      })
  )

  it.effect("a code exchange that brings less scope is refused also where nothing can be revoked", () =>
    Effect.gen(function* () {
      const { begin, grants, server } = yield* makeLogin({ revocation_endpoint: undefined }, { scope: "a b" })
      yield* server.enqueue("/token", Answer.token({ scope: "a", refresh_token: "first" }))
      yield* assertFailsWith(grants.redeem(responseTo(yield* begin())), "InsufficientScope")
    })
  )
})

describe("a login on another device", () => {
  const code = {
    device_code: "d",
    user_code: "WDJB-MJHT",
    verification_uri: "https://as.example.com/device",
    expires_in: 600
  }

  const makeDevice = Effect.fnUntraced(function* (answer: Fields) {
    const login = yield* makeLogin({}, { grant_type: "device_code", scope: "a b" })
    yield* login.server.always("/device", Answer.json(code))
    yield* login.server.always("/revoke", Answer.status(200))
    yield* login.server.enqueue("/token", Answer.token({ refresh_token: "first", ...answer }))
    const { keep, kept } = recorder()
    const { token } = yield* login.grants.authorizeDevice(login.request, keep)
    return { ...login, kept, failure: failureOf(settle(token)) }
  })

  it.effect("a device login keeps the refresh token beside an access token that cannot be used", () =>
    Effect.gen(function* () {
      const { failure, kept } = yield* makeDevice({ token_type: "DPoP" })
      assert.strictEqual((yield* failure)._tag, "InvalidResponse")
      assert.deepInclude(summary(kept)[0], { refresh: "first", reusable: false, clientId: "gateway" })
    })
  )

  it.effect("a device login that brings less scope is refused and revoked", () =>
    Effect.gen(function* () {
      const { failure, kept, server } = yield* makeDevice({ scope: "a" })
      assert.deepInclude(yield* failure, { _tag: "InsufficientScope", missing: ["b"] })
      assert.isEmpty(kept)
      assert.deepStrictEqual(
        (yield* formsAt(server, "/revoke")).map(({ token }) => token),
        ["first"]
      )
    })
  )
})

describe("the first token of a client", () => {
  it.effect(
    "a client's own grant keeps the refresh token beside an unusable access token, but not beside one with less scope",
    () =>
      Effect.gen(function* () {
        const { grants, request, server } = yield* makeLogin(
          {},
          { grant_type: "client_credentials", client_secret: "s", scope: "a b" }
        )
        const { keep, kept } = recorder()
        yield* server.enqueue("/token", Answer.token({ scope: "a", refresh_token: "less" }))
        yield* assertFailsWith(grants.acquire(request, undefined, keep), "InsufficientScope")
        assert.isEmpty(kept)
        yield* server.enqueue("/token", Answer.token({ token_type: "DPoP", refresh_token: "first" }))
        yield* assertFailsWith(grants.acquire(request, undefined, keep), "InvalidResponse")
        assert.deepInclude(summary(kept)[0], { refresh: "first", reusable: false, clientId: "gateway" })
      })
  )
})
