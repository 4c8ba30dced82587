import { assert, describe, it } from "@effect/vitest"
import { Answer, assertNoCanary, canary, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { type KeepGrant, OAuthToken } from "@secure-mcp/oauth-core"
import { certificateKeys, makeCertificates, makeGrantsWith } from "../TestCertificates.ts"
import { makeLog, reasonOf, requestFor, settle } from "../TestGrants.ts"
import { accessToken, refreshToken } from "../TestLogin.ts"

type Fields = Readonly<Record<string, unknown>>

/** An authorization server over TLS that gives out whatever a test wants, and a client with a certificate there. */
const makeServer = Effect.fnUntraced(function* (oauth: Fields = {}) {
  const { authority, ours, tls } = yield* makeCertificates
  const other = yield* authority.issueClient("another")
  const server = yield* StubAuthorizationServer.make({ tls: { ...tls, ca: authority.certificatePem } })
  const give = (access_token: string, fields: Fields = {}) =>
    server.always("/token", Answer.token({ access_token, ...fields }))
  const request = requestFor({
    ...certificateKeys,
    token_url: server.endpoint("/token"),
    introspection_url: server.endpoint("/introspect"),
    ...oauth
  })
  const grants = yield* makeGrantsWith(authority, ours)
  const log = makeLog()
  const acquire = (previous?: OAuthToken, keep?: KeepGrant) =>
    grants.acquire(request, previous, keep).pipe(log.record)
  return { authority, server, give, request, acquire, ours, other, log: log.lines }
})

const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url")

const jwtWith = (claims: Fields) => `${encode({ alg: "ES256" })}.${encode(claims)}.c2ln`

const boundTo = (thumbprint: unknown) => ({ cnf: { "x5t#S256": thumbprint } })

const introspected = ({ server }: { readonly server: StubAuthorizationServer }) =>
  server.requestsTo("/introspect")

const mismatch = (
  server: StubAuthorizationServer,
  { thumbprintSha256 }: { readonly thumbprintSha256: string }
) => ({
  _tag: "CertificateBindingMismatch",
  endpoint: `the token endpoint ${server.endpoint("/token")}`,
  certificateThumbprint: thumbprintSha256
})

describe("a JWT access token", () => {
  it.effect("a JWT bound to our certificate is accepted without introspection", () =>
    Effect.gen(function* () {
      const setup = yield* makeServer()
      yield* setup.give(jwtWith(boundTo(setup.ours.thumbprintSha256)))
      yield* setup.acquire()
      assert.isEmpty(yield* introspected(setup))
    })
  )

  const unbound: ReadonlyArray<Fields> = [
    {},
    { cnf: null },
    { cnf: {} },
    { cnf: "x5t#S256" },
    { cnf: { jkt: "of DPoP" } },
    boundTo(null)
  ]

  it.effect.each(unbound)("a JWT with %j is bound to no certificate and accepted", (claims) =>
    Effect.gen(function* () {
      const setup = yield* makeServer()
      yield* setup.give(jwtWith(claims))
      yield* setup.acquire()
      assert.include(setup.log.join(), "bound to no certificate")
      assert.isEmpty(yield* introspected(setup))
    })
  )

  const foreign: ReadonlyArray<readonly [string, (ours: string, other: string) => unknown]> = [
    ["another certificate", (_ours, other) => other],
    ["ours in lower case", (ours) => ours.toLowerCase()],
    ["ours with padding", (ours) => `${ours}=`],
    ["ours with a space", (ours) => ` ${ours}`],
    ["ours in base64", (ours) => Buffer.from(ours, "base64url").toString("base64")],
    ["ours in hex", (ours) => Buffer.from(ours, "base64url").toString("hex")],
    ["nothing", () => ""],
    ["no text", (ours) => [ours]]
  ]

  it.effect.each(foreign)("a JWT bound to %s is refused without a retry", ([, thumbprintOf]) =>
    Effect.gen(function* () {
      const setup = yield* makeServer()
      const { give, other, ours, server } = setup
      yield* give(jwtWith(boundTo(thumbprintOf(ours.thumbprintSha256, other.thumbprintSha256))))
      const error = yield* Effect.flip(setup.acquire())
      assert.deepStrictEqual(reasonOf(error), mismatch(server, ours))
      assert.isFalse(error.retryable)
      assert.lengthOf(yield* server.requestsTo("/token"), 1)
    })
  )

  it.effect("the error for a refused JWT shows neither the token nor its claims", () =>
    Effect.gen(function* () {
      const { acquire, give, log, other } = yield* makeServer()
      const secret = canary("claim")
      yield* give(jwtWith({ ...boundTo(other.thumbprintSha256), sub: secret, iss: secret }), {
        refresh_token: secret
      })
      const error = yield* Effect.flip(acquire())
      assertNoCanary([error.message, error.stack, JSON.stringify(error), ...log], [secret])
    })
  )

  it.effect("a JWT is not checked over a connection without a certificate", () =>
    Effect.gen(function* () {
      const { authority, give, other, request } = yield* makeServer()
      yield* give(jwtWith(boundTo(other.thumbprintSha256)))
      const grants = yield* makeGrantsWith(authority)
      yield* grants.acquire(request, undefined)
    })
  )
})

describe("an opaque access token", () => {
  it.effect("an opaque token is introspected by the client as it authenticates at the token endpoint", () =>
    Effect.gen(function* () {
      const setup = yield* makeServer({ client_secret: "the-client-secret", use_basic_auth: false })
      const { give, ours, server } = setup
      yield* give("an-opaque-token")
      yield* server.always("/introspect", Answer.json({ active: true, ...boundTo(ours.thumbprintSha256) }))
      assert.strictEqual(accessToken(yield* setup.acquire()), "an-opaque-token")
      const [asked, ...more] = yield* introspected(setup)
      assert.isEmpty(more)
      assert.deepStrictEqual(Object.fromEntries(asked?.form ?? []), {
        token: "an-opaque-token",
        token_type_hint: "access_token",
        client_id: "gateway",
        client_secret: "the-client-secret"
      })
      const [tokenRequest] = yield* server.requestsTo("/token")
      assert.isDefined(asked?.peerFingerprint256)
      assert.strictEqual(asked?.peerFingerprint256, tokenRequest?.peerFingerprint256)
      assert.strictEqual(asked?.headers["x-correlation-id"], tokenRequest?.headers["x-correlation-id"])
    })
  )

  it.effect("an opaque token bound to another certificate is refused", () =>
    Effect.gen(function* () {
      const { acquire, give, other, ours, server } = yield* makeServer()
      yield* give("an-opaque-token")
      yield* server.always("/introspect", Answer.json({ active: true, ...boundTo(other.thumbprintSha256) }))
      assert.deepStrictEqual(reasonOf(yield* Effect.flip(acquire())), mismatch(server, ours))
    })
  )

  it.effect("an encrypted JWT is introspected like an opaque token", () =>
    Effect.gen(function* () {
      const { acquire, give, other, server } = yield* makeServer()
      yield* give(`${encode({ alg: "dir", enc: "A256GCM" })}..aXY.Y2lwaGVy.dGFn`)
      yield* server.always("/introspect", Answer.json({ active: true, ...boundTo(other.thumbprintSha256) }))
      assert.strictEqual(reasonOf(yield* Effect.flip(acquire()))["_tag"], "CertificateBindingMismatch")
    })
  )

  it.effect("an opaque token bound to no certificate is accepted", () =>
    Effect.gen(function* () {
      const { acquire, give, log, server } = yield* makeServer()
      yield* give("an-opaque-token")
      yield* server.always("/introspect", Answer.json({ active: true, scope: "mcp:read" }))
      yield* acquire()
      assert.include(log.join(), "bound to no certificate")
    })
  )

  it.effect("an opaque token is not introspected without introspection_url", () =>
    Effect.gen(function* () {
      const setup = yield* makeServer({ introspection_url: undefined })
      yield* setup.give("an-opaque-token")
      yield* setup.acquire()
      assert.lengthOf(yield* setup.server.requests, 1)
    })
  )

  it.effect("an opaque token is not introspected over a connection without a certificate", () =>
    Effect.gen(function* () {
      const setup = yield* makeServer()
      yield* setup.give("an-opaque-token")
      const grants = yield* makeGrantsWith(setup.authority)
      yield* grants.acquire(setup.request, undefined)
      assert.isEmpty(yield* introspected(setup))
    })
  )
})

describe("an introspection that brings no answer", () => {
  const previous = new OAuthToken({
    accessToken: Redacted.make("the-old-token"),
    tokenType: "Bearer",
    refreshToken: Redacted.make("used-once"),
    issuedAt: 0,
    reusable: true,
    grantedTo: { clientId: "gateway" }
  })

  const answers: ReadonlyArray<readonly [name: string, answer: Answer, why: string]> = [
    ["a broken connection", Answer.reset, "could not be reached"],
    ["no answer in time", Answer.hang, "did not answer within"],
    ["an outage", Answer.status(503), "HTTP 503"],
    ["a refusal", Answer.json({ error: "invalid_client" }, { status: 401 }), "HTTP 401 (invalid_client)"],
    ["a redirect", Answer.redirect("https://evil.example/"), "redirect"],
    ["a page", Answer.text("<html>"), "it is an HTML or XML page"],
    ["too much", Answer.giantBody(2 * 1024 * 1024), "over 1 MiB"],
    ["a token that may not be asked about", Answer.json({ active: false }), "does not call the token active"],
    ["no word about it", Answer.json({ cnf: { "x5t#S256": "x" } }), "does not call the token active"]
  ]

  it.effect.each(answers)(
    "introspection that fails with %s leaves the token in force, with its new refresh token",
    ([, answer, why]) =>
      Effect.gen(function* () {
        const setup = yield* makeServer()
        const { give, log, server } = setup
        yield* give("the-new-token", { refresh_token: "the-next" })
        yield* server.always("/introspect", answer)
        const token = yield* settle(setup.acquire(previous))
        assert.strictEqual(accessToken(token), "the-new-token")
        assert.strictEqual(refreshToken(token), "the-next")
        const warnings = log.filter((line) => line.includes('"WARN"'))
        assert.lengthOf(warnings, 1)
        assert.include(warnings[0], "Which certificate the token is bound to is not known, and it is kept")
        assert.include(warnings[0], why)
        assert.lengthOf(yield* introspected(setup), 1, "it is not worth keeping the caller waiting")
      })
  )

  it.effect("introspection ends in time in an uninterruptible caller, too", () =>
    Effect.gen(function* () {
      const { acquire, give, server } = yield* makeServer()
      yield* give("the-new-token", { refresh_token: "the-next" })
      yield* server.always("/introspect", Answer.hang)
      const token = yield* settle(Effect.uninterruptible(acquire(previous)))
      assert.strictEqual(refreshToken(token), "the-next")
    })
  )

  it.effect("a warning about introspection shows no secret that the server echoes", () =>
    Effect.gen(function* () {
      const secrets = [canary("access-token"), canary("client-secret")] as const
      const { acquire, give, log, server } = yield* makeServer({ client_secret: secrets[1] })
      yield* give(secrets[0])
      const echo = Answer.respondWith(({ body, headers }) =>
        Effect.succeed(
          Answer.json(
            { error: "invalid_token", error_description: `${body} ${headers.authorization}` },
            { status: 400 }
          )
        )
      )
      yield* server.always("/introspect", echo)
      yield* acquire()
      assert.include(log.join(), "invalid_token")
      assertNoCanary(log, secrets)
    })
  )
})

describe("a new refresh token beside an access token whose binding is checked", () => {
  const makeKeeper = Effect.fnUntraced(function* () {
    const setup = yield* makeServer()
    const kept: Array<readonly [refresh: string | undefined, reusable: boolean, introspections: number]> = []
    const keep: KeepGrant = (_request, token) =>
      Effect.map(introspected(setup), ({ length }) => {
        kept.push([refreshToken(token), token.reusable, length])
      })
    return { ...setup, keep, kept }
  })

  it.effect("a new refresh token is kept when the JWT beside it is bound to another certificate", () =>
    Effect.gen(function* () {
      const { acquire, give, keep, kept, other } = yield* makeKeeper()
      yield* give(jwtWith(boundTo(other.thumbprintSha256)), { refresh_token: "the-next" })
      assert.strictEqual(
        reasonOf(yield* Effect.flip(acquire(undefined, keep)))["_tag"],
        "CertificateBindingMismatch"
      )
      assert.deepStrictEqual(kept, [["the-next", false, 0]])
    })
  )

  it.effect("a new refresh token is kept before the introspection endpoint is asked", () =>
    Effect.gen(function* () {
      const { acquire, give, keep, kept, ours, server } = yield* makeKeeper()
      yield* give("an-opaque-token", { refresh_token: "the-next" })
      yield* server.always("/introspect", Answer.json({ active: true, ...boundTo(ours.thumbprintSha256) }))
      assert.strictEqual(accessToken(yield* acquire(undefined, keep)), "an-opaque-token")
      assert.deepStrictEqual(kept, [["the-next", false, 0]])
    })
  )

  it.effect("a new refresh token is not lost when the caller is interrupted during introspection", () =>
    Effect.gen(function* () {
      const { acquire, give, keep, kept, server } = yield* makeKeeper()
      yield* give("an-opaque-token", { refresh_token: "the-next" })
      yield* server.always("/introspect", Answer.hang)
      const fiber = yield* Effect.forkChild(acquire(undefined, keep), { startImmediately: true })
      yield* server.received(2)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(kept, [["the-next", false, 0]])
    })
  )
})
