import { assert, describe, it } from "@effect/vitest"
import type { StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import {
  discoveredRequest,
  makeGrantTargets,
  makeServers,
  plain,
  redirectUri,
  serveRegistration
} from "../TestResolution.ts"

const documentUrl = "https://gateway.example/client.json"
const begin = { redirectUri }

const bodiesOf = (as: StubAuthorizationServer) =>
  Effect.map(as.requestsTo("/register"), (requests) =>
    requests.map(({ body }): Record<string, unknown> => JSON.parse(body))
  )

describe("the identity of the client", () => {
  it.effect("the configured client comes first", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers({
        metadata: { client_id_metadata_document_supported: true }
      })
      const targets = yield* makeGrantTargets()
      const request = discoveredRequest(resourceUrl, { client_id: "mine", client_metadata_url: documentUrl })
      const { client } = yield* targets.resolve(request, begin)
      assert.deepInclude(client, { clientId: "mine", source: "configured", authenticationMethod: "none" })
      assert.isEmpty(yield* as.requestsTo("/register"))
    })
  )

  it.effect("the client metadata document comes second, where the server supports it", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers({
        metadata: { client_id_metadata_document_supported: true }
      })
      const targets = yield* makeGrantTargets()
      const request = discoveredRequest(resourceUrl, { client_metadata_url: documentUrl })
      const { client } = yield* targets.resolve(request)
      assert.deepInclude(client, {
        clientId: documentUrl,
        clientSecret: undefined,
        source: "metadata_document",
        authenticationMethod: "none"
      })
      assert.isEmpty(yield* as.requestsTo("/register"))
    })
  )

  it.effect("a registered client comes third", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers({ resource: { scopes_supported: ["a", "b"] } })
      yield* serveRegistration(as)
      const targets = yield* makeGrantTargets()
      const request = discoveredRequest(resourceUrl, {
        client_metadata_url: documentUrl,
        client_name: "Our Gateway"
      })
      const { client } = yield* targets.resolve(request, begin)
      assert.deepInclude(client, { clientId: "client-1", source: "registered" })
      assert.deepStrictEqual(yield* bodiesOf(as), [
        {
          client_name: "Our Gateway",
          application_type: "native",
          redirect_uris: [redirectUri],
          grant_types: ["authorization_code", "refresh_token"],
          response_types: ["code"],
          token_endpoint_auth_method: "client_secret_basic",
          scope: "a b"
        }
      ])
    })
  )

  it.effect("the error for a server that registers no clients says what to configure", () =>
    Effect.gen(function* () {
      const { resourceUrl } = yield* makeServers({ metadata: { registration_endpoint: undefined } })
      const targets = yield* makeGrantTargets()
      const reason = yield* Effect.flip(targets.resolve(discoveredRequest(resourceUrl), begin))
      assert.deepInclude(plain(reason), { _tag: "Misconfigured" })
      assert.include(reason.message, "registers no clients: configure `client_id`")
    })
  )

  it.effect("without a person who begins a grant no client is registered, and a login is needed", () =>
    Effect.gen(function* () {
      const { as, resourceUrl } = yield* makeServers()
      const targets = yield* makeGrantTargets()
      const reason = yield* Effect.flip(targets.resolve(discoveredRequest(resourceUrl)))
      assert.deepStrictEqual(plain(reason), { _tag: "AuthorizationRequired" })
      assert.isEmpty(yield* as.requestsTo("/register"))
    })
  )
})

describe("the scope to ask for", () => {
  const scopes = [
    [{}, undefined, undefined, undefined],
    [{}, undefined, ["a", "b"], "a b"],
    [{}, undefined, [], undefined],
    [{}, "c d", ["a", "b"], "c d"],
    [{ scope: "e" }, undefined, ["a", "b"], "e"],
    [{ scope: "e c" }, "c d", ["a", "b"], "e c d"]
  ] as const

  it.effect.each(scopes)(
    "the scope to request with %j configured, %j challenged and %j listed is %j",
    ([oauth, challenged, listed, expected]) =>
      Effect.gen(function* () {
        const { resourceUrl } = yield* makeServers({ resource: { scopes_supported: listed } })
        const targets = yield* makeGrantTargets()
        const { scope } = yield* targets.resolve({
          ...discoveredRequest(resourceUrl, { client_id: "c", ...oauth }),
          challenge: { scope: challenged }
        })
        assert.strictEqual(scope, expected)
      })
  )
})
