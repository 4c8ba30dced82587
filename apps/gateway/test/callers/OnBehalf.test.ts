import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { TestClock } from "effect/testing"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { buffer } from "node:stream/consumers"
import { ping, type RawRequest, send, serveRaw } from "../http/RawHttp.ts"
import { startGateway } from "../http/RunningGateway.ts"
import { bearer, startCompany } from "./Company.ts"

/** A token endpoint that exchanges the tokens of persons, and says what it was sent. */
const startExchange = Effect.gen(function* () {
  const forms: Array<Readonly<Record<string, string>>> = []
  const state = { refusal: undefined as undefined | Readonly<Record<string, string>>, expiresIn: 3600 }
  const { url } = yield* serveRaw((request, response) => {
    const exchange = async () => {
      const body = await buffer(request)
      const form = Object.fromEntries(new URLSearchParams(body.toString()))
      forms.push(form)
      const [, claims = ""] = (form["subject_token"] ?? form["assertion"] ?? "").split(".")
      const { sub } = JSON.parse(Buffer.from(claims, "base64url").toString()) as { sub: string }
      const answer = state.refusal ?? {
        access_token: `for-${sub}-${forms.length}`,
        token_type: "Bearer",
        expires_in: state.expiresIn,
        refresh_token: "never-used",
        issued_token_type: "urn:ietf:params:oauth:token-type:access_token"
      }
      response
        .writeHead(state.refusal === undefined ? 200 : 400, { "content-type": "application/json" })
        .end(JSON.stringify(answer))
    }
    void exchange()
  })
  return { forms, state, tokenUrl: url }
})

const exchangeGrant = {
  grant_type: "token_exchange",
  subject_token: "${caller:token}",
  subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
  actor_token: "our-own-token",
  actor_token_type: "urn:ietf:params:oauth:token-type:access_token"
}

const start = (grant: object = exchangeGrant, store: object = { type: "memory" }) =>
  Effect.gen(function* () {
    const company = yield* startCompany
    const { forms, state, tokenUrl } = yield* startExchange
    const received: Array<string> = []
    const { url } = yield* serveRaw((request, response) => {
      received.push(request.headers.authorization ?? "none")
      response.writeHead(200, { "content-type": "application/json" }).end("{}")
    })
    const gateway = yield* startGateway({
      servers: [
        {
          server_name: "a",
          config: { url },
          oauth: {
            enabled: true,
            token_url: tokenUrl,
            client_id: "gateway",
            client_secret: "the-secret-of-the-gateway",
            enforce_https: false,
            ...grant
          }
        }
      ],
      gateway: company.gateway(),
      store
    })
    const ask = (token: string, request: RawRequest = ping) =>
      send(gateway.mcp("a"), { ...request, headers: { ...request.headers, ...bearer(token) } })
    return { ...gateway, ask, company, forms, received, state }
  })

describe("a server that is called on behalf of people", () => {
  it.effect("each person's token is exchanged once, and each acts as themselves", () =>
    Effect.gen(function* () {
      const { ask, company, forms, logs, received } = yield* start()
      const [ada, bob] = [yield* company.token("ada"), yield* company.token("bob")]
      yield* Effect.forEach([ada, ada, bob, ada, bob, bob], (token) => ask(token), {
        concurrency: "unbounded"
      })
      yield* ask(ada)
      assert.lengthOf(forms, 2)
      assert.deepStrictEqual(forms.map(({ subject_token: token }) => token).toSorted(), [ada, bob].toSorted())
      assert.deepStrictEqual(
        forms.map(({ actor_token: token }) => token),
        ["our-own-token", "our-own-token"]
      )
      assert.lengthOf(received, 7)
      const used = [...new Set(received)].map((one) => one.replace(/-\d$/, "")).toSorted()
      assert.deepStrictEqual(used, ["Bearer for-ada", "Bearer for-bob"])
      for (const token of [ada, bob]) assert.notInclude(logs.join(), token)
    })
  )

  it.effect("another token of the same person is exchanged anew", () =>
    Effect.gen(function* () {
      const { ask, company, forms } = yield* start()
      yield* ask(yield* company.token("ada"))
      yield* ask(yield* company.token("ada", { jti: "2" }))
      assert.lengthOf(forms, 2)
    })
  )

  it.effect("an exchanged token is used until the earlier of both ends, and not renewed before", () =>
    Effect.gen(function* () {
      const { ask, company, forms, state } = yield* start()
      state.expiresIn = 300
      const long = yield* company.token("ada", { exp: 100_000 })
      yield* ask(long)
      yield* TestClock.adjust("299 seconds")
      yield* ask(long)
      assert.lengthOf(forms, 1)
      yield* TestClock.adjust("1 second")
      yield* ask(long)
      assert.lengthOf(forms, 2)
      state.expiresIn = 100_000
      const short = yield* company.token("bob", { exp: 400 })
      yield* ask(short)
      assert.lengthOf(forms, 3)
      yield* TestClock.adjust("101 seconds")
      // Clocks may differ, so the caller is still let in; what was obtained for the token that ended is not used any more.
      yield* ask(short)
      assert.lengthOf(forms, 4)
      assert.isTrue(forms.every(({ grant_type: type }) => type !== "refresh_token"))
    })
  )

  it.effect("a refused exchange counts for 30 seconds, for this token of this person only", () =>
    Effect.gen(function* () {
      const { ask, company, forms, state } = yield* start()
      state.refusal = { error: "invalid_target", error_description: "no such server" }
      const [ada, bob] = [yield* company.token("ada"), yield* company.token("bob")]
      const first = yield* ask(ada)
      assert.strictEqual(first.status, 502)
      assert.include(first.body.toString(), "invalid_target")
      yield* ask(ada)
      assert.lengthOf(forms, 1)
      yield* ask(bob)
      assert.lengthOf(forms, 2)
      yield* ask(yield* company.token("ada", { jti: "2" }))
      assert.lengthOf(forms, 3)
      state.refusal = undefined
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual((yield* ask(ada)).status, 502)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* ask(ada)).status, 200)
      assert.lengthOf(forms, 4)
    })
  )

  it.effect("a person who has to log in again is sent to, with the claims that are wanted", () =>
    Effect.gen(function* () {
      const { ask, company, state } = yield* start()
      const claims = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
      state.refusal = { error: "interaction_required", claims }
      const refused = yield* ask(yield* company.token("ada"))
      assert.strictEqual(refused.status, 401)
      const challenge = String(refused.headers["www-authenticate"])
      assert.include(challenge, 'error="insufficient_claims"')
      assert.include(challenge, "resource_metadata=")
      const [, sent = ""] = /claims="([^"]*)"/.exec(challenge) ?? []
      assert.strictEqual(Buffer.from(sent, "base64").toString(), claims)
    })
  )

  it.effect("Entra is asked with an assertion on behalf of the person", () =>
    Effect.gen(function* () {
      const { ask, company, forms, received } = yield* start({
        grant_type: "jwt_bearer",
        provider: "entra",
        assertion: "${caller:token}",
        scope: "api://x/.default"
      })
      const ada = yield* company.token("ada")
      assert.strictEqual((yield* ask(ada)).status, 200)
      const { assertion, grant_type: type, requested_token_use: use } = forms[0] ?? {}
      assert.deepStrictEqual(
        [assertion, type, use],
        [ada, "urn:ietf:params:oauth:grant-type:jwt-bearer", "on_behalf_of"]
      )
      assert.deepStrictEqual(received, ["Bearer for-ada-1"])
    })
  )

  it.effect("nothing of it is on disk", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const directory = yield* files.makeTempDirectoryScoped()
      const { ask, company, forms } = yield* start(exchangeGrant, { type: "file", directory })
      assert.strictEqual((yield* ask(yield* company.token("ada"))).status, 200)
      assert.lengthOf(forms, 1)
      const names = yield* files.readDirectory(directory, { recursive: true })
      assert.deepStrictEqual(
        names.filter((name) => /\.(?:token|json)$/.test(name)),
        []
      )
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("a caller with an API key, who has no token, is told so", () =>
    Effect.gen(function* () {
      const company = yield* startCompany
      const { tokenUrl } = yield* startExchange
      const key = "an-api-key-of-a-machine"
      const { mcp } = yield* startGateway({
        servers: [
          {
            server_name: "a",
            config: { url: "http://127.0.0.1:9/mcp" },
            oauth: {
              enabled: true,
              token_url: tokenUrl,
              client_id: "gateway",
              client_secret: "secret",
              enforce_https: false,
              ...exchangeGrant
            }
          }
        ],
        gateway: company.gateway({ api_keys: [key] })
      })
      const answer = yield* send(mcp("a"), { ...ping, headers: { ...ping.headers, ...bearer(key) } })
      assert.strictEqual(answer.status, 502)
      assert.include(answer.body.toString(), "the token of the caller")
    })
  )
})
