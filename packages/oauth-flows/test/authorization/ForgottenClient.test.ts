import { assert, describe, it } from "@effect/vitest"
import { Answer, ProviderBehaviour, type RecordedRequest } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { makeGrants, settle } from "../TestGrants.ts"
import { assertFailsWith, failureOf, responseTo } from "../TestLogin.ts"
import { discoveredRequest, makeServers, redirectUri } from "../TestResolution.ts"

type Fields = Readonly<Record<string, unknown>>

const metadata = { token_endpoint_auth_methods_supported: ["none"] }

/** An authorization server that registers clients and knows them until it is told otherwise. */
const makeForgetful = Effect.fnUntraced(function* (oauth: Fields = {}) {
  const { as, resourceUrl } = yield* makeServers({
    metadata
  })
  yield* as.always("/register", yield* ProviderBehaviour.registersClients())
  yield* as.always("/token", yield* ProviderBehaviour.rotatesRefreshTokens)
  yield* as.always("/authorize", ProviderBehaviour.authorizes())
  const grants = yield* makeGrants({ authTimeout: "1 hour" })
  const request = discoveredRequest(resourceUrl, oauth)
  const begin = Effect.map(
    grants.authorize(request, redirectUri),
    ({ authorizationUrl }) => new URL(authorizationUrl)
  )
  const clientOf = (url: URL) => url.searchParams.get("client_id")
  const nextClient = Effect.map(begin, clientOf)
  const redeem = (url: URL, fields: Readonly<Record<string, string | undefined>> = {}) =>
    grants.redeem(responseTo(url, { iss: undefined, ...fields }))
  /** A person asks until a new client is offered, as often as people do; gives the last. */
  const askTwice = Effect.andThen(nextClient, nextClient)
  return { as, grants, request, begin, nextClient, askTwice, redeem }
})

const invalidClient = Answer.json({ error: "invalid_client" }, { status: 401 })

describe("a registered client that its server has forgotten", () => {
  const words = [
    ["invalid_client", { error: "invalid_client" }],
    ["unauthorized_client", { error: "unauthorized_client" }],
    ["unknown_client", { error: "unknown_client" }],
    ["a description", { error: "invalid_request", error_description: "Client not found" }],
    ["a message", { message: "No such client" }]
  ] as const
  it.effect.each(words)("a code exchange that is answered with %s leads to a new client", ([, answer]) =>
    Effect.gen(function* () {
      const { as, begin, nextClient, redeem } = yield* makeForgetful()
      const url = yield* begin
      yield* as.enqueue("/token", Answer.json(answer, { status: 401 }))
      yield* assertFailsWith(redeem(url), "RequestRefused")
      assert.strictEqual(yield* nextClient, "client-2")
    })
  )

  it.effect("a refused code that says nothing about the client keeps the client", () =>
    Effect.gen(function* () {
      const { as, begin, nextClient, redeem } = yield* makeForgetful()
      const url = yield* begin
      yield* as.enqueue("/token", Answer.json({ error: "invalid_grant" }, { status: 400 }))
      yield* assertFailsWith(redeem(url), "RequestRefused")
      assert.strictEqual(yield* nextClient, "client-1")
    })
  )

  it.effect("a redirect that says that the client is unauthorized leads to a new client", () =>
    Effect.gen(function* () {
      const { begin, nextClient, redeem } = yield* makeForgetful()
      const denied = redeem(yield* begin, { code: undefined, error: "unauthorized_client" })
      yield* assertFailsWith(denied, "AuthorizationDenied")
      assert.strictEqual(yield* nextClient, "client-2")
    })
  )

  it.effect("a refresh that is answered with invalid_client is tried once, and leads to a new client", () =>
    Effect.gen(function* () {
      const { as, begin, grants, nextClient, redeem, request } = yield* makeForgetful()
      const { token } = yield* redeem(yield* begin)
      yield* as.enqueue("/token", invalidClient)
      yield* assertFailsWith(grants.acquire(request, token), "AuthorizationRequired")
      yield* assertFailsWith(grants.acquire(request, token), "AuthorizationRequired")
      assert.lengthOf(yield* as.requestsTo("/token"), 2)
      assert.strictEqual(yield* nextClient, "client-2")
    })
  )

  it.effect("a login that was begun with a forgotten client is begun again with the new one", () =>
    Effect.gen(function* () {
      const { as, begin, grants, nextClient, redeem, request } = yield* makeForgetful()
      const first = yield* begin
      const other = yield* grants.authorize({ ...request, subject: "bob" }, redirectUri)
      yield* as.enqueue("/token", invalidClient)
      yield* assertFailsWith(redeem(first), "RequestRefused")
      assert.strictEqual(yield* nextClient, "client-2")
      const again = yield* grants.authorize({ ...request, subject: "bob" }, redirectUri)
      assert.notStrictEqual(again.authorizationUrl, other.authorizationUrl)
      assert.include(again.authorizationUrl, "client_id=client-2")
    })
  )

  it.effect("a client that has replaced another is not replaced within ten minutes", () =>
    Effect.gen(function* () {
      const { as, begin, nextClient, redeem } = yield* makeForgetful()
      yield* as.always("/token", invalidClient)
      for (let attempt = 0; attempt < 4; attempt += 1) {
        yield* assertFailsWith(redeem(yield* begin), "RequestRefused")
      }
      assert.lengthOf(yield* as.requestsTo("/register"), 2)
      yield* TestClock.adjust("10 minutes")
      yield* assertFailsWith(redeem(yield* begin), "RequestRefused")
      assert.strictEqual(yield* nextClient, "client-3")
    })
  )

  it.effect("a configured client is never replaced: the error says what to check", () =>
    Effect.gen(function* () {
      const { as, begin, grants, nextClient, redeem, request } = yield* makeForgetful({ client_id: "ours" })
      const { token } = yield* redeem(yield* begin)
      yield* as.enqueue("/token", invalidClient)
      const reason = yield* failureOf(grants.acquire(request, token))
      assert.include(reason.message, "`client_id`")
      assert.strictEqual(yield* nextClient, "ours")
      assert.lengthOf(yield* as.requestsTo("/register"), 0)
    })
  )

  it.effect("a device login goes on with a new client, because nobody has seen a code yet", () =>
    Effect.gen(function* () {
      const { as, resourceUrl, serveMetadata } = yield* makeServers({ metadata })
      yield* serveMetadata({ device_authorization_endpoint: as.endpoint("/device") })
      yield* as.always("/register", yield* ProviderBehaviour.registersClients())
      yield* as.enqueue("/device", invalidClient)
      yield* as.always(
        "/device",
        Answer.json({
          device_code: "device",
          user_code: "CODE",
          verification_uri: "https://as.example.com/device",
          expires_in: 600,
          interval: 1
        })
      )
      yield* as.always("/token", invalidClient)
      const grants = yield* makeGrants({ authTimeout: "1 hour" })
      const request = discoveredRequest(resourceUrl, { grant_type: "device_code" })
      const login = yield* grants.authorizeDevice(request)
      const clients = Effect.map(as.requestsTo("/device"), (requests) =>
        requests.map(({ form }) => form.get("client_id"))
      )
      assert.deepStrictEqual(yield* clients, ["client-1", "client-2"])
      yield* assertFailsWith(settle(login.token), "RequestRefused")
      yield* TestClock.adjust("10 minutes")
      yield* assertFailsWith(settle((yield* grants.authorizeDevice(request)).token), "RequestRefused")
      yield* grants.authorizeDevice(request)
      assert.strictEqual((yield* clients).at(-1), "client-3")
    })
  )
})

describe("an authorization page that refuses a registered client", () => {
  const page = (status: number, headers = {}) =>
    Answer.text("<h1>Sorry</h1>", { contentType: "text/html", status, headers })
  const refusals = [
    ["HTTP 400", page(400)],
    ["HTTP 401", page(401)],
    ["HTTP 404", page(404)],
    ["HTTP 422", page(422)],
    ["HTTP 403 and words", Answer.text("<p>Unknown <b>client</b></p>", { status: 403 })],
    ["words behind many open tags", Answer.text(`${"<".repeat(20_000)}Unknown <b>client`, { status: 403 })],
    ["HTTP 410", page(410)],
    ["invalid_client in a success", Answer.json({ error: "invalid_client" })],
    ["unauthorized_client in a success", Answer.json({ error: "unauthorized_client" })],
    ["a description in a success", Answer.json({ error_description: "The client was not found" })],
    ["a message in a success", Answer.json({ message: "No such client" })],
    ["words over several lines", Answer.text("<p>unknown</p>\n\n<b>client</b>", { status: 403 })],
    ["words between tags", Answer.text("<p>Unknown<br>client", { status: 403 })],
    ["a redirect that describes it", Answer.redirect("/error?error_description=Client+not+found")],
    ["a redirect to an error page", Answer.redirect("/error?error=invalid_client")]
  ] as const
  it.effect.each(refusals)("after %s one of the next logins carries a new client", ([, answer]) =>
    Effect.gen(function* () {
      const { as, askTwice, nextClient } = yield* makeForgetful()
      assert.strictEqual(yield* nextClient, "client-1")
      yield* as.always("/authorize", answer)
      assert.strictEqual(yield* askTwice, "client-2")
      for (let minute = 0; minute < 9; minute += 1) {
        assert.strictEqual(yield* nextClient, "client-2")
        yield* TestClock.adjust("1 minute")
      }
      assert.lengthOf(yield* as.requestsTo("/register"), 2)
    })
  )

  const logins = [
    ["a login page", page(200)],
    ["a redirect to a login page", Answer.redirect("/login")],
    ["a login by HTTP", page(401, { "www-authenticate": "Negotiate" })],
    ["a firewall's page", page(403)],
    ["too many requests", page(429)],
    ["a server that is down", page(503)],
    [
      "a server that fails and speaks of the client",
      Answer.json({ error: "invalid_client" }, { status: 500 })
    ],
    ["too many requests of the client", Answer.json({ error: "invalid_client" }, { status: 429 })],
    ["a page of multiple choices", Answer.text("Unknown client", { status: 300 })],
    ["a redirect without a place", Answer.json({ error: "invalid_client" }, { status: 302 })],
    ["a redirect to no URL", Answer.redirect("http://[")],
    ["a login page that speaks of an unknown client", Answer.text("<p>Unknown client? Write to us")],
    ["words behind 64 KiB", Answer.text(`${" .".repeat(32 * 1024)}Unknown client`, { status: 403 })],
    ["numbers in the place of words", Answer.json({ error: 5, error_description: ["Unknown client"] })],
    ["a page that is not text", Answer.bytes(new Uint8Array([0xff, 0xfe]), { status: 403 })],
    ["a broken connection", Answer.reset]
  ] as const
  it.effect.each(logins)("%s keeps the client, and the URL", ([, answer]) =>
    Effect.gen(function* () {
      const { as, begin } = yield* makeForgetful()
      yield* as.always("/authorize", answer)
      const { href } = yield* begin
      for (let count = 0; count < 4; count += 1) assert.strictEqual((yield* begin).href, href)
      assert.lengthOf(yield* as.requestsTo("/authorize"), 1)
      assert.lengthOf(yield* as.requestsTo("/register"), 1)
    })
  )

  const queryOf = ({ rawUrl }: RecordedRequest) => new URL(rawUrl, "http://page").searchParams

  it.effect("the page is asked with nothing of the person or of the login that waits", () =>
    Effect.gen(function* () {
      const { as, askTwice, begin } = yield* makeForgetful({
        authorize_params: { login_hint: "alice@example.com" }
      })
      const url = yield* begin
      assert.strictEqual(url.searchParams.get("login_hint"), "alice@example.com")
      yield* askTwice
      const [probe, ...others] = yield* as.requestsTo("/authorize")
      assert.isDefined(probe)
      assert.lengthOf(others, 0)
      if (probe === undefined) return
      const asked = queryOf(probe)
      assert.strictEqual(asked.get("client_id"), "client-1")
      assert.strictEqual(asked.get("redirect_uri"), redirectUri)
      assert.isNull(asked.get("login_hint"))
      for (const own of ["state", "code_challenge"]) {
        assert.isNotNull(asked.get(own))
        assert.notStrictEqual(asked.get(own), url.searchParams.get(own))
      }
    })
  )

  it.effect("the page is asked ever more rarely, and not at all once a login has come back", () =>
    Effect.gen(function* () {
      const { as, begin, nextClient, redeem } = yield* makeForgetful()
      const probes = Effect.map(as.requestsTo("/authorize"), ({ length }) => length)
      const url = yield* begin
      for (let second = 0; second < 60; second += 1) {
        yield* nextClient
        yield* TestClock.adjust("1 second")
      }
      assert.strictEqual(yield* probes, 5)
      yield* redeem(url)
      yield* nextClient
      yield* nextClient
      assert.strictEqual(yield* probes, 5)
    })
  )

  it.effect("the page is asked by the second login within two seconds, or by the first after them", () =>
    Effect.gen(function* () {
      const { as, nextClient } = yield* makeForgetful()
      const probes = Effect.map(as.requestsTo("/authorize"), ({ length }) => length)
      yield* nextClient
      yield* TestClock.adjust("1999 millis")
      yield* nextClient
      assert.strictEqual(yield* probes, 0)
      yield* nextClient
      assert.strictEqual(yield* probes, 1)
      const later = yield* makeForgetful()
      yield* later.nextClient
      yield* TestClock.adjust("2 seconds")
      yield* later.nextClient
      assert.lengthOf(yield* later.as.requestsTo("/authorize"), 1)
    })
  )

  it.effect("a login that came back is no longer waited for", () =>
    Effect.gen(function* () {
      const { as, begin, nextClient, redeem } = yield* makeForgetful()
      yield* redeem(yield* begin)
      yield* nextClient
      yield* TestClock.adjust("1 second")
      yield* nextClient
      assert.lengthOf(yield* as.requestsTo("/authorize"), 0)
    })
  )

  it.effect("the page of a configured client is not asked", () =>
    Effect.gen(function* () {
      const { as, askTwice, nextClient } = yield* makeForgetful({ client_id: "ours" })
      yield* as.always("/authorize", page(400))
      yield* nextClient
      assert.strictEqual(yield* askTwice, "ours")
      assert.lengthOf(yield* as.requestsTo("/authorize"), 0)
    })
  )
})
