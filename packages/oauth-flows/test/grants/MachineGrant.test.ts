import { assert, describe, it } from "@effect/vitest"
import { type GrantRequest, OAuthToken } from "@secure-mcp/oauth-core"
import { Answer, assertNoCanary, canary, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { acquireFrom, makeGrants, requestFor, settle } from "../TestGrants.ts"
import { accessToken, failureOf, formsAt, makeServerWithMetadata } from "../TestLogin.ts"

const jwt = "e30.e30.c2ln"
const tokenType = (name: string) => `urn:ietf:params:oauth:token-type:${name}`
const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
const exchange = "urn:ietf:params:oauth:grant-type:token-exchange"

const secretFile = Effect.sync(() => {
  const path = join(mkdtempSync(join(tmpdir(), "secret-")), "token")
  return { reference: `\${file:${path}}`, path, write: (text: string) => writeFileSync(path, text) }
})

const basic = (clientId: string, secret: string) => `Basic ${btoa(`${clientId}:${secret}`)}`

describe("token exchange (RFC 8693)", () => {
  it.effect("token exchange sends the subject token and takes the access token", () =>
    Effect.gen(function* () {
      const { outcome, server } = yield* acquireFrom(
        Answer.token({ issued_token_type: tokenType("access_token") }),
        {
          grant_type: "token_exchange",
          subject_token: "the-subject-token",
          subject_token_type: tokenType("jwt"),
          requested_token_type: tokenType("access_token"),
          audience: "https://api",
          resource: "https://mcp.example.com/mcp",
          scope: "a b"
        }
      )
      assert.strictEqual(accessToken(yield* outcome), "stub-access-token")
      assert.deepStrictEqual(yield* formsAt(server), [
        {
          grant_type: exchange,
          subject_token: "the-subject-token",
          subject_token_type: tokenType("jwt"),
          requested_token_type: tokenType("access_token"),
          audience: "https://api",
          resource: "https://mcp.example.com/mcp",
          scope: "a b"
        }
      ])
    })
  )

  it.effect("no error shows the subject token", () =>
    Effect.gen(function* () {
      const secret = canary("subject")
      const echo = Answer.respondWith(({ body }) =>
        Effect.succeed(Answer.json({ error: "invalid_request", error_description: body }, { status: 400 }))
      )
      const { outcome } = yield* acquireFrom(echo, {
        grant_type: "token_exchange",
        subject_token: secret,
        subject_token_type: tokenType("jwt")
      })
      assertNoCanary(yield* Effect.flip(outcome), secret)
    })
  )
})

describe("a JWT as authorization grant (RFC 7523)", () => {
  it.effect("a configured assertion is sent unchanged", () =>
    Effect.gen(function* () {
      const { outcome, server } = yield* acquireFrom(Answer.token(), {
        grant_type: "jwt_bearer",
        assertion: jwt,
        scope: "a"
      })
      yield* outcome
      assert.deepStrictEqual(yield* formsAt(server), [{ grant_type: jwtBearer, assertion: jwt, scope: "a" }])
    })
  )

  it.effect("an assertion is read from its file for each request, also for a retry", () =>
    Effect.gen(function* () {
      const file = yield* secretFile
      const { outcome, server } = yield* acquireFrom(Answer.status(503), {
        grant_type: "jwt_bearer",
        assertion: file.reference
      })
      file.write("first.e30.c2ln\n")
      yield* server.enqueue(
        "/token",
        Answer.respondWith(() =>
          Effect.sync(() => {
            file.write("second.e30.c2ln\r\n")
            return Answer.status(503)
          })
        ),
        Answer.token()
      )
      yield* settle(outcome)
      assert.deepStrictEqual(
        (yield* formsAt(server)).map((form) => form["assertion"]),
        ["first.e30.c2ln", "second.e30.c2ln"]
      )
    })
  )

  it.effect("an error names the assertion file that is missing or empty", () =>
    Effect.gen(function* () {
      const file = yield* secretFile
      const { outcome, server } = yield* acquireFrom(Answer.token(), {
        grant_type: "jwt_bearer",
        assertion: file.reference
      })
      assert.deepInclude(yield* failureOf(outcome), {
        _tag: "Misconfigured",
        problem: `the file of \`assertion\`, ${file.path}, cannot be read`
      })
      file.write("\n")
      assert.include((yield* failureOf(outcome)).message, "is empty")
      assert.lengthOf(yield* formsAt(server), 0)
    })
  )
})

describe("enterprise-managed authorization (ID-JAG)", () => {
  const resource = "https://mcp.example.com/mcp"

  const noProvider: NonNullable<GrantRequest["config"]["identityProvider"]> = { subjectTokenType: "none" }

  const makeEnterprise = Effect.fnUntraced(function* (answer: Answer) {
    const provider = yield* StubAuthorizationServer.make()
    yield* provider.always("/token", answer)
    const server = yield* makeServerWithMetadata()
    yield* server.always("/token", Answer.token())
    const grants = yield* makeGrants({ authTimeout: "1 hour" })
    const request = requestFor({
      grant_type: "jwt_bearer",
      issuer: server.url,
      resource,
      scope: "a",
      identity_provider: {
        token_url: provider.endpoint("/token"),
        client_id: "gateway-at-idp",
        client_secret: "idp-secret",
        subject_token: "the-id-token"
      }
    })
    return { grants, provider, request, server, outcome: grants.acquire(request, undefined) }
  })

  const assertion = { access_token: jwt, token_type: "N_A", issued_token_type: tokenType("id-jag") }

  it.effect(
    "the assertion comes from the identity provider and the token from the server that the assertion is for",
    () =>
      Effect.gen(function* () {
        const { outcome, provider, server } = yield* makeEnterprise(Answer.json(assertion))
        assert.strictEqual(accessToken(yield* outcome), "stub-access-token")
        assert.deepStrictEqual(yield* formsAt(provider), [
          {
            grant_type: exchange,
            requested_token_type: tokenType("id-jag"),
            audience: server.url,
            resource,
            scope: "a",
            subject_token: "the-id-token",
            subject_token_type: tokenType("id_token")
          }
        ])
        assert.deepStrictEqual(yield* formsAt(server), [
          { grant_type: jwtBearer, assertion: jwt, resource, scope: "a" }
        ])
        const [atProvider] = yield* provider.requests
        const [atServer] = yield* server.requestsTo("/token")
        assert.deepStrictEqual(
          [atProvider?.headers.authorization, atServer?.headers.authorization],
          [basic("gateway-at-idp", "idp-secret"), basic("gateway", "the-client-secret")]
        )
      })
  )

  const otherType = "its `issued_token_type` is not the one asked for"
  const useless = [
    ["an access token", { ...assertion, issued_token_type: tokenType("access_token") }, otherType],
    ["a token of no type", { ...assertion, issued_token_type: undefined }, otherType],
    ["no token", { ...assertion, access_token: "" }, "it has no `access_token`"]
  ] as const
  it.effect.each(useless)("%s of the identity provider is not passed on", ([, answer, problem]) =>
    Effect.gen(function* () {
      const { outcome, provider, server } = yield* makeEnterprise(Answer.json(answer))
      assert.deepInclude(yield* failureOf(outcome), {
        _tag: "InvalidResponse",
        endpoint: `the identity provider's token endpoint ${provider.endpoint("/token")}`,
        problem
      })
      assert.lengthOf(yield* formsAt(server), 0)
    })
  )

  it.effect("a gateway that is a public client of the identity provider sends its name and no secret", () =>
    Effect.gen(function* () {
      const { grants, provider, request } = yield* makeEnterprise(Answer.json(assertion))
      const { clientSecret: _, ...identityProvider } = request.config.identityProvider ?? noProvider
      yield* grants.acquire({ ...request, config: { ...request.config, identityProvider } }, undefined)
      const [asked] = yield* provider.requests
      assert.isUndefined(asked?.headers.authorization)
      assert.deepInclude((yield* formsAt(provider))[0], { client_id: "gateway-at-idp" })
    })
  )

  it.effect("an identity provider that is configured by half is named, and gets nothing", () =>
    Effect.gen(function* () {
      const { grants, provider, request } = yield* makeEnterprise(Answer.json(assertion))
      const withProvider = (
        own: NonNullable<GrantRequest["config"]["identityProvider"]>,
        issuer?: string
      ) => {
        const { issuer: _, ...config } = request.config
        const tokenUrl = "https://as.example.com/token"
        const entry = { ...config, identityProvider: own, tokenUrl, ...(issuer && { issuer }) }
        return failureOf(grants.acquire({ ...request, config: entry }, undefined))
      }
      const whole = request.config.identityProvider ?? noProvider
      const lacking = "`identity_provider` lacks its `token_url` or `client_id`"
      const { clientId: _, ...withoutClient } = whole
      const { tokenUrl: __, ...withoutUrl } = whole
      const { subjectToken: ___, ...withoutToken } = whole
      for (const [own, issuer, problem] of [
        [withoutClient, "https://as.example.com", lacking],
        [withoutUrl, "https://as.example.com", lacking],
        [withoutToken, "https://as.example.com", "`identity_provider.subject_token` is not configured"],
        [whole, undefined, "`identity_provider` needs the `issuer` that the assertion is for"]
      ] as const) {
        assert.deepInclude(yield* withProvider(own, issuer), { _tag: "Misconfigured", problem })
      }
      assert.lengthOf(yield* provider.requests, 0)
    })
  )

  it.effect("a retry gets a new assertion from the identity provider", () =>
    Effect.gen(function* () {
      const { outcome, provider, server } = yield* makeEnterprise(Answer.json(assertion))
      yield* server.enqueue("/token", Answer.status(503))
      yield* settle(outcome)
      assert.lengthOf(yield* formsAt(provider), 2)
      assert.lengthOf(yield* formsAt(server), 2)
    })
  )
})

describe("step-up of the client's own token (RFC 6750 §3.1)", () => {
  const challenge = { error: "insufficient_scope", scope: "write" }

  it.effect(
    "a step-up requests the granted and the wanted scope at once, and again at the next renewal",
    () =>
      Effect.gen(function* () {
        const server = yield* StubAuthorizationServer.make()
        yield* server.always("/token", Answer.token())
        yield* server.enqueue("/token", Answer.token({ scope: "read list" }))
        const grants = yield* makeGrants()
        const request = requestFor({ token_url: server.endpoint("/token"), scope: "read" })
        const first = yield* grants.acquire(request, undefined)
        const renewed = yield* grants.acquire(request, first)
        const wide = yield* grants.acquire({ ...request, challenge }, first)
        const again = yield* grants.acquire(request, wide)
        yield* grants.acquire({ ...request, challenge: { ...challenge, scope: "admin" } }, again)
        assert.deepStrictEqual(
          (yield* formsAt(server)).map((form) => form["scope"]),
          ["read", "read", "read write list", "read write list", "read admin write list"]
        )
        assert.isUndefined(renewed.stepUpScope)
      })
  )

  it.effect("a scope that grows with each challenge is followed to a hundred names, and no further", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.token())
      const grants = yield* makeGrants()
      const request = requestFor({ token_url: server.endpoint("/token"), scope: "read write" })
      let token = yield* grants.acquire(request, undefined)
      for (let count = 1; count <= 100; count += 1)
        token = yield* grants.acquire(
          { ...request, challenge: { ...challenge, scope: `more-${count}` } },
          token
        )
      const { length } = yield* server.requests
      const failure = yield* failureOf(
        grants.acquire({ ...request, challenge: { ...challenge, scope: "more-101" } }, token)
      )
      assert.deepInclude(failure, { _tag: "StepUpExhausted", tooLong: true })
      assert.include(failure.message, "over 100 names, or over 4096 characters")
      assert.lengthOf(yield* server.requests, length)
      yield* grants.acquire(request, token)
    })
  )

  it.effect("a third request for the same scope within ten minutes fails with StepUpExhausted", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.token())
      const grants = yield* makeGrants()
      const request = requestFor({ token_url: server.endpoint("/token"), scope: "read" })
      const first = yield* grants.acquire(request, undefined)
      const stepUp = grants.acquire({ ...request, challenge }, first)
      yield* stepUp
      yield* stepUp
      assert.deepInclude(yield* failureOf(stepUp), { _tag: "StepUpExhausted", attempts: 3 })
      assert.lengthOf(yield* server.requests, 3)
      yield* grants.acquire({ ...request, challenge: { ...challenge, scope: "list" } }, first)
      yield* TestClock.adjust("11 minutes")
      yield* stepUp
    })
  )

  it.effect("a refresh token is used first, and a new grant is requested when it has ended", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      const grants = yield* makeGrants()
      const request = requestFor({
        grant_type: "jwt_bearer",
        assertion: jwt,
        token_url: server.endpoint("/token")
      })
      yield* server.enqueue(
        "/token",
        Answer.token({ refresh_token: "r" }),
        Answer.token({ access_token: "refreshed" }),
        Answer.json({ error: "invalid_grant" }, { status: 400 }),
        Answer.token({ access_token: "anew" })
      )
      const first = yield* grants.acquire(request, undefined)
      const second = yield* grants.acquire(request, first)
      const third = yield* grants.acquire(request, second)
      assert.deepStrictEqual([second, third].map(accessToken), ["refreshed", "anew"])
      assert.deepStrictEqual(
        (yield* formsAt(server)).map((form) => form["grant_type"]),
        [jwtBearer, "refresh_token", "refresh_token", jwtBearer]
      )
      const foreign = new OAuthToken({ ...first, grantedTo: { clientId: "another" } })
      yield* server.always("/token", Answer.token({ access_token: "anew" }))
      assert.strictEqual(accessToken(yield* grants.acquire(request, foreign)), "anew")
    })
  )
})

describe("a refresh token of the client itself", () => {
  const refusals = [
    ["unsupported_grant_type", "falls back to a new grant", ["refresh_token", "client_credentials"]],
    ["invalid_client", "is the error, because a new grant would be refused, too", ["refresh_token"]]
  ] as const
  it.effect.each(refusals)("a refusal with %s %s", ([error, , sent]) =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      const grants = yield* makeGrants()
      const request = requestFor({ token_url: server.endpoint("/token") })
      yield* server.enqueue("/token", Answer.token({ refresh_token: "r-1" }))
      const token = yield* grants.acquire(request, undefined)
      yield* server.enqueue("/token", Answer.json({ error }, { status: 400 }))
      yield* server.always("/token", Answer.token({ access_token: "new" }))
      const outcome = yield* Effect.result(grants.acquire(request, token))
      assert.strictEqual(Result.isSuccess(outcome), error !== "invalid_client")
      const [, ...forms] = yield* formsAt(server)
      assert.deepStrictEqual(
        forms.map(({ grant_type }) => grant_type),
        [...sent]
      )
    })
  )
})
