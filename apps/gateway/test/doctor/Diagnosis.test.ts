import { assert, describe, layer } from "@effect/vitest"
import { OAuthService } from "@secure-mcp/oauth-core"
import { Answer, assertNoCanary, canary, ProviderBehaviour, refusedPort } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { truncate } from "node:fs/promises"
import { isPossible, reportJson, reportLines } from "../../src/doctor/Report.ts"
import { gatewayServices } from "../../../../packages/gateway-server/src/GatewayServices.ts"
import { accessTokenRequest } from "../../../../packages/gateway-server/src/upstream/Servers.ts"
import { load, TestLayer, writeFile } from "../config/configFile.ts"
import {
  diagnosed,
  failures,
  oauthPlace,
  openidPlace,
  resourcePlace,
  startServers,
  statuses,
  stepOf
} from "./Diagnosing.ts"

layer(TestLayer)((it) => {
  describe("the diagnosis of a server", () => {
    it.effect("a diagnosis where all is well has every step of a login, and registers nothing", () =>
      Effect.gen(function* () {
        const { as, entry, mcp, url } = yield* startServers()
        const report = yield* diagnosed({ servers: [entry()] })
        assert.deepStrictEqual(statuses(report), {
          address: "ok",
          proxy: "ok",
          challenge: "ok",
          resource_metadata: "ok",
          authorization_server_metadata: "ok",
          issuer: "ok",
          resource: "ok",
          scope: "ok",
          client: "ok",
          authentication: "ok",
          pkce: "ok",
          authorization_endpoint: "ok",
          token_endpoint: "ok",
          store: "ok",
          lease: "ok",
          grant: "ok"
        })
        assert.isTrue(isPossible(report))
        assert.include(stepOf(report, "challenge").message, 'scope="mcp:read"')
        assert.strictEqual(stepOf(report, "scope").message, "mcp:read offline_access")
        assert.strictEqual(stepOf(report, "resource").message, `${url} is sent`)
        assert.include(stepOf(report, "client").message, `registered at ${as.url}/register (it is not now)`)
        assert.isEmpty(yield* as.requestsTo("/register"))
        const sent = [...(yield* as.requests), ...(yield* mcp.requests)]
        assert.isTrue(sent.every(({ headers }) => headers.authorization === undefined))
      })
    )

    it.effect(
      "a report has the steps with what was found as JSON, and the places that were tried as lines",
      () =>
        Effect.gen(function* () {
          const { as, entry, mcp, url } = yield* startServers()
          yield* as.always(oauthPlace, Answer.text("", { status: 404 }))
          yield* as.always(
            openidPlace,
            Answer.json({
              issuer: as.url,
              token_endpoint: `${as.url}/token`,
              authorization_endpoint: `${as.url}/authorize`,
              code_challenge_methods_supported: ["S256"]
            })
          )
          const report = yield* diagnosed({ servers: [entry({ client_id: "ours" })] }, { subject: "ann" })
          const json = JSON.parse(JSON.stringify(reportJson(report)))
          assert.deepInclude(json, {
            server_name: "remote",
            grant_type: "authorization_code",
            subject: "ann",
            possible: true
          })
          const step = (name: string) => json.steps.find((one: { step: string }) => one.step === name)
          assert.deepStrictEqual(step("authorization_server_metadata"), {
            step: "authorization_server_metadata",
            status: "ok",
            message: `found at ${as.url}${openidPlace}`,
            advice: null,
            places: [
              { url: as.url + oauthPlace, http_status: 404, used: false, problem: "HTTP 404" },
              { url: as.url + openidPlace, http_status: 200, used: true, problem: null }
            ]
          })
          assert.deepInclude(step("issuer"), { expected: as.url, sent: as.url })
          assert.deepInclude(step("resource"), { expected: url, metadata: url, sent: url })
          assert.deepInclude(step("client"), { source: "configured", client_id: "ours" })
          assert.deepInclude(step("pkce"), { method: "S256", code_challenge_methods_supported: ["S256"] })
          const lines = reportLines(report).split("\n")
          assert.include(lines.join("\n"), `404 ${as.url}${oauthPlace}\n`)
          assert.isTrue(lines.some((line) => line.endsWith(`200 ${mcp.url}${resourcePlace} (used)`)))
          assert.strictEqual(
            lines.at(-1),
            'Nothing was found that keeps "remote" from a token (authorization_code).'
          )
        })
    )

    it.effect("a server without usable metadata fails there, and the key that helps is named", () =>
      Effect.gen(function* () {
        const { entry, mcp } = yield* startServers()
        yield* mcp.always(resourcePlace, Answer.json({}))
        const report = yield* diagnosed({ servers: [entry()] })
        assert.deepStrictEqual(failures(report), ["resource_metadata"])
        const { advice, message, places = [] } = stepOf(report, "resource_metadata")
        assert.include(message, "`resource` is missing")
        assert.include(advice, "`issuer`")
        assert.deepStrictEqual(
          places.map(({ status, url }) => [status, url.replace(mcp.url, "")]),
          [
            [200, resourcePlace],
            [404, "/.well-known/oauth-protected-resource"]
          ]
        )
        assert.isFalse(isPossible(report))
      })
    )

    it.effect("a server of the revision 2025-03-26 gets a warning that its own origin is used", () =>
      Effect.gen(function* () {
        const { entry, mcp } = yield* startServers()
        yield* mcp.always(resourcePlace, Answer.text("", { status: 404 }))
        yield* mcp.always("/token", Answer.text("", { status: 405 }))
        const report = yield* diagnosed({ servers: [entry()] })
        assert.isEmpty(failures(report))
        assert.strictEqual(stepOf(report, "resource_metadata").status, "warning")
        assert.strictEqual(stepOf(report, "authorization_server_metadata").status, "warning")
        assert.include(stepOf(report, "authorization_server_metadata").message, "/authorize, /token")
        assert.strictEqual(stepOf(report, "issuer").message, mcp.url)
      })
    )

    it.effect("a place that answers 5xx is reported, although the next one has the document", () =>
      Effect.gen(function* () {
        const { as, entry, serveMetadata } = yield* startServers()
        yield* serveMetadata()
        const document = yield* Effect.promise(async () => (await fetch(as.url + oauthPlace)).json())
        yield* as.always(openidPlace, Answer.json(document))
        yield* as.always(oauthPlace, Answer.text("", { status: 500 }))
        const report = yield* diagnosed({ servers: [entry()] })
        const { message, places = [], status } = stepOf(report, "authorization_server_metadata")
        assert.strictEqual(status, "warning")
        assert.include(message, `${oauthPlace} (HTTP 500)`)
        assert.deepStrictEqual(
          places.map((place) => [place.status, place.isUsed]),
          [
            [500, false],
            [200, true]
          ]
        )
        assert.isEmpty(failures(report))
      })
    )

    it.effect("a 5xx at the only place fails, and the configuration is not blamed", () =>
      Effect.gen(function* () {
        const { as, entry } = yield* startServers()
        yield* as.always(oauthPlace, Answer.text("", { status: 503 }))
        const report = yield* diagnosed({ servers: [entry()] })
        assert.deepStrictEqual(failures(report), ["authorization_server_metadata"])
        assert.include(
          stepOf(report, "authorization_server_metadata").message,
          "answered HTTP 503. Try again"
        )
      })
    )

    it.effect("another issuer fails with both names, and another resource with both", () =>
      Effect.gen(function* () {
        const { as, entry, serveMetadata, serveResource, url } = yield* startServers()
        yield* serveMetadata({ issuer: "https://other.example" })
        const issuer = yield* diagnosed({ servers: [entry()] })
        assert.deepStrictEqual(failures(issuer), ["authorization_server_metadata"])
        const { message } = stepOf(issuer, "authorization_server_metadata")
        assert.include(message, "https://other.example")
        assert.include(message, as.url)
        assert.include(message, "`issuer_mismatch`")

        const allowed = yield* diagnosed({ servers: [entry({ issuer_mismatch: "allow" })] })
        assert.isEmpty(failures(allowed))
        assert.strictEqual(stepOf(allowed, "issuer").status, "warning")
        assert.include(stepOf(allowed, "issuer").message, "https://other.example")

        yield* serveMetadata()
        yield* serveResource({ resource: "https://other.example/mcp" })
        const resource = yield* diagnosed({ servers: [entry()] })
        assert.deepStrictEqual(failures(resource), ["resource_metadata"])
        const step = stepOf(resource, "resource_metadata")
        assert.include(step.message, "https://other.example/mcp")
        assert.include(step.message, url)
        assert.include(step.advice, "`resource`")
      })
    )

    it.effect("a server without S256 fails, and what it would have to list is named", () =>
      Effect.gen(function* () {
        const { entry, serveMetadata } = yield* startServers()
        yield* serveMetadata({ code_challenge_methods_supported: ["plain"] })
        const report = yield* diagnosed({ servers: [entry()] })
        assert.deepStrictEqual(failures(report), ["pkce"])
        const { advice, facts, message } = stepOf(report, "pkce")
        assert.include(message, "`code_challenge_methods_supported`")
        assert.include(advice, "`use_pkce`")
        assert.deepStrictEqual(facts, { code_challenge_methods_supported: ["plain"] })
      })
    )

    it.effect("a diagnosis fails without a client: none is configured and none can be registered", () =>
      Effect.gen(function* () {
        const { entry, serveMetadata } = yield* startServers()
        yield* serveMetadata({ registration_endpoint: undefined })
        const report = yield* diagnosed({ servers: [entry()] })
        assert.deepStrictEqual(failures(report), ["client"])
        assert.include(stepOf(report, "client").message, "registers no clients")
        assert.include(stepOf(report, "client").advice, "`client_id`")
      })
    )

    it.effect("an authentication method that the server does not list is a warning", () =>
      Effect.gen(function* () {
        const { entry } = yield* startServers()
        const report = yield* diagnosed({
          servers: [
            entry({
              client_id: "ours",
              client_secret: "a-secret-of-ours",
              token_endpoint_auth_method: "client_secret_post"
            })
          ]
        })
        assert.strictEqual(stepOf(report, "authentication").status, "warning")
        assert.include(stepOf(report, "authentication").message, "lists none, client_secret_basic")
      })
    )

    it.effect("a refused connection to the server or the token endpoint fails at that step", () =>
      Effect.gen(function* () {
        const { as, entry } = yield* startServers()
        const nobody = `http://127.0.0.1:${yield* refusedPort}`
        const configured = { client_id: "ours", authorization_url: `${as.url}/authorize` }
        const upstream = yield* diagnosed({
          servers: [
            { ...entry({ ...configured, token_url: `${as.url}/token` }), config: { url: `${nobody}/mcp` } }
          ]
        })
        assert.deepStrictEqual(failures(upstream), ["challenge"])
        assert.include(stepOf(upstream, "challenge").message, "connection refused")
        assert.include(stepOf(upstream, "challenge").advice, "`config.url`")

        const tokens = yield* diagnosed({ servers: [entry({ ...configured, token_url: `${nobody}/token` })] })
        assert.deepStrictEqual(failures(tokens), ["token_endpoint"])
        assert.include(stepOf(tokens, "token_endpoint").message, "connection refused")
      })
    )

    it.effect("a redirect of the MCP server is a warning that says where to", () =>
      Effect.gen(function* () {
        const { entry, mcp } = yield* startServers()
        yield* mcp.always("/mcp", Answer.redirect("https://moved.example/mcp?key=hidden", 308))
        const report = yield* diagnosed({ servers: [entry()] })
        const { advice, message, status } = stepOf(report, "challenge")
        assert.strictEqual(status, "warning")
        assert.include(message, "https://moved.example/mcp")
        assert.include(advice, "`config.url`")
        assert.notInclude(JSON.stringify(report), "hidden")
      })
    )

    it.effect("a server that needs no token is well, also without `oauth`", () =>
      Effect.gen(function* () {
        const { entry, mcp } = yield* startServers()
        const { oauth: _, ...open } = entry()
        const refused = yield* diagnosed({ servers: [open] })
        assert.deepStrictEqual(statuses(refused), { address: "ok", proxy: "ok", challenge: "warning" })
        yield* mcp.always("/mcp", Answer.json({}))
        const report = yield* diagnosed({ servers: [open] })
        assert.deepStrictEqual(statuses(report), { address: "ok", proxy: "ok", challenge: "ok" })
        assert.isTrue(isPossible(report))
      })
    )

    it.effect("a proxy is named without its password, and fails at its own step", () =>
      Effect.gen(function* () {
        const { entry } = yield* startServers()
        const password = canary("proxy-password")
        const proxy = `http://us:${password}@127.0.0.1:${yield* refusedPort}`
        const { oauth: _, ...open } = entry()
        const report = yield* diagnosed({
          servers: [{ ...open, config: { url: "https://mcp.example.com/mcp" }, proxy }]
        })
        assert.deepStrictEqual(failures(report), ["proxy"])
        assert.include(stepOf(report, "proxy").message, "connection refused")
        assert.include(stepOf(report, "address").message, "looked up by the proxy")
        assertNoCanary(JSON.stringify(report), password)
      })
    )

    it.effect("a client that an earlier login registered is used again", () =>
      Effect.gen(function* () {
        const { as, entry } = yield* startServers()
        yield* as.always("/register", yield* ProviderBehaviour.registersClients())
        const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
        const document = {
          store: { type: "file", directory },
          servers: [entry({ redirect_uri: "http://127.0.0.1:4999/oauth/callback" })]
        }
        assert.include(stepOf(yield* diagnosed(document), "client").message, "would be registered")
        const config = yield* load(document)
        yield* Effect.gen(function* () {
          const [first] = config.servers
          assert.isDefined(first)
          const request = accessTokenRequest(first, config, undefined)
          assert.isDefined(request)
          const redirectUri = request.config.redirectUri ?? ""
          const challenge = { scope: "mcp:read" }
          yield* (yield* OAuthService).authorize(request, { redirectUri, challenge })
        }).pipe(Effect.provide(gatewayServices(config)))
        assert.include(stepOf(yield* diagnosed(document), "client").message, "client-1 (registered before)")
        assert.lengthOf(yield* as.requestsTo("/register"), 1)
      })
    )
  })

  describe("the diagnosis of a client's own token", () => {
    it.effect("a grant fails if the assertion that it exchanges cannot be read", () =>
      Effect.gen(function* () {
        const { as, entry } = yield* startServers()
        const exchange = (subjectToken: string, meanwhile: Effect.Effect<void> = Effect.void) =>
          diagnosed(
            {
              servers: [
                entry({
                  grant_type: "token_exchange",
                  issuer: as.url,
                  client_id: "ours",
                  client_secret: "a-secret-of-ours",
                  subject_token: subjectToken,
                  subject_token_type: "urn:ietf:params:oauth:token-type:jwt"
                })
              ]
            },
            { meanwhile }
          )
        assert.strictEqual(stepOf(yield* exchange("a.subject.token"), "assertion").status, "ok")
        const file = yield* writeFile("subject.jwt", "a.subject.token")
        const emptied = Effect.promise(() => truncate(file))
        const empty = yield* exchange(`\${file:${file}}`, emptied)
        assert.deepStrictEqual(failures(empty), ["assertion"])
        assert.include(stepOf(empty, "assertion").message, "is empty")
      })
    )

    it.effect("the client credentials grant has no step of a person's login", () =>
      Effect.gen(function* () {
        const { as, entry } = yield* startServers()
        const report = yield* diagnosed({
          servers: [
            entry({
              grant_type: "client_credentials",
              token_url: `${as.url}/token`,
              client_id: "ours",
              client_secret: "a-secret-of-ours"
            })
          ]
        })
        const names = Object.keys(statuses(report))
        assert.isEmpty(failures(report))
        for (const name of ["pkce", "authorization_endpoint", "grant", "resource_metadata"]) {
          assert.notInclude(names, name)
        }
        assert.strictEqual(stepOf(report, "authentication").message, "client_secret_basic")
      })
    )
  })
})
