import { assert, describe, it } from "@effect/vitest"
import { Answer, ProviderBehaviour, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { ping, post } from "../cli/mcpMessages.ts"
import { startGateway } from "../http/RunningGateway.ts"
import { walk } from "../login/Person.ts"
import { bearer, startCompany } from "./Company.ts"

/** An authorization server that exchanges the token of a person once that person has consented, and a server that is called so. */
const start = Effect.fnUntraced(function* (
  refusal: object,
  endpoints: (stub: { readonly url: string; readonly endpoint: (path: string) => string }) => object
) {
  const company = yield* startCompany
  const stub = yield* StubAuthorizationServer.make()
  yield* stub.always(
    "/.well-known/oauth-authorization-server",
    Answer.json({
      issuer: stub.url,
      authorization_endpoint: stub.endpoint("/authorize"),
      token_endpoint: stub.endpoint("/token"),
      code_challenge_methods_supported: ["S256"]
    })
  )
  yield* stub.always("/authorize", ProviderBehaviour.authorizes())
  yield* stub.always(
    "/token",
    Answer.respondWith(() =>
      Effect.map(stub.requestsTo("/authorize"), (consents) =>
        consents.length === 0 ? Answer.json(refusal, { status: 400 }) : Answer.token()
      )
    )
  )
  yield* stub.always("/mcp", Answer.json({ jsonrpc: "2.0", id: 7, result: {} }))
  const gateway = yield* startGateway({
    store: { type: "memory" },
    gateway: company.gateway(),
    servers: [
      {
        server_name: "a",
        config: { url: stub.endpoint("/mcp") },
        oauth: {
          enabled: true,
          grant_type: "token_exchange",
          client_id: "the-gateway",
          client_secret: "the-secret-of-the-gateway",
          subject_token: "${caller:token}",
          subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
          scope: "wiki.read",
          enforce_https: false,
          ...endpoints(stub)
        }
      }
    ]
  })
  const ask = (token: string) =>
    Effect.map(post(gateway.url, "a", ping, bearer(token)), ({ status, text }) => ({
      status,
      text,
      link: JSON.parse(text).error?.data?.authorization_url as string | undefined
    }))
  const forms = Effect.map(stub.requestsTo("/token"), (requests) => requests.map(({ form }) => form))
  return { ask, company, forms, gateway, stub }
})

const refusals: ReadonlyArray<readonly [string, object]> = [
  ["consent_required", { error: "consent_required" }],
  ["interaction_required without claims", { error: "interaction_required" }],
  ["invalid_grant of Entra", { error: "invalid_grant", suberror: "consent_required", error_codes: [65_001] }]
]

describe("an exchange that needs the consent of the person", () => {
  it.effect.each(refusals)(
    "the client gets the address of the login, after which the exchange succeeds: %s",
    ([, refusal]) =>
      Effect.gen(function* () {
        const { ask, company, forms, gateway, stub } = yield* start(refusal, ({ url }) => ({ issuer: url }))
        const ada = yield* company.token("ada")
        const { link = "" } = yield* ask(ada)
        assert.match(link, /^http:\/\/127\.0\.0\.1:\d+\/login\//)
        const end = yield* walk(link, "ada")
        assert.include(end.text, "Logged in")
        const [asked] = yield* stub.requestsTo("/authorize")
        const sent = new URL(asked?.rawUrl ?? "", stub.url).searchParams
        assert.strictEqual(sent.get("client_id"), "the-gateway")
        assert.strictEqual(sent.get("scope"), "wiki.read")
        // At once, although a refusal counts for 30 seconds.
        const answer = yield* ask(ada)
        assert.strictEqual(answer.status, 200, answer.text)
        const types = (yield* forms).map((form) => form.get("grant_type"))
        const exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
        assert.deepStrictEqual(types, [exchange, "authorization_code", exchange])
        // The token of the login is kept nowhere.
        assert.isTrue((yield* gateway.tokens).every(({ key }) => !key.personal))
      })
  )

  it.effect("the configured endpoint is where people consent, if there is one", () =>
    Effect.gen(function* () {
      const { ask, company } = yield* start({ error: "consent_required" }, ({ endpoint }) => ({
        token_url: endpoint("/token"),
        authorization_url: endpoint("/authorize")
      }))
      const ada = yield* company.token("ada")
      assert.include((yield* walk((yield* ask(ada)).link ?? "", "ada")).text, "Logged in")
      assert.strictEqual((yield* ask(ada)).status, 200)
    })
  )

  it.effect("the consent of one person is none of another", () =>
    Effect.gen(function* () {
      const { ask, company } = yield* start({ error: "consent_required" }, ({ url }) => ({ issuer: url }))
      const [ada, bob] = [yield* company.token("ada"), yield* company.token("bob")]
      const links = [(yield* ask(ada)).link ?? "", (yield* ask(bob)).link ?? ""]
      assert.notStrictEqual(links[0], links[1])
    })
  )

  it.effect("a client is told of the refusal where nobody can consent", () =>
    Effect.gen(function* () {
      // The company of this test offers no login.
      const { ask, company, gateway } = yield* start({ error: "consent_required" }, ({ endpoint }) => ({
        token_url: endpoint("/token")
      }))
      const answer = yield* ask(yield* company.token("ada"))
      assert.strictEqual(answer.status, 502)
      assert.include(answer.text, "consent_required")
      assert.isUndefined(answer.link)
      assert.include(gateway.logs.join(), "cannot be asked to consent")
    })
  )
})
