import { assert, describe, layer } from "@effect/vitest"
import { AuthorizationServer, clientCredentialsClient } from "@secure-mcp/authorization-server"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { entryWith, TestLayer } from "../config/configFile.ts"
import { entry, runGateway, secretEnvironment, startGateway, writeConfig } from "./gatewayProcess.ts"

const resource = "https://api.example.com"

/** A configuration for an authorization server that is a certified one. */
const withAuthorizationServer = Effect.gen(function* () {
  const server = yield* AuthorizationServer.make({
    clients: [clientCredentialsClient("client", secretEnvironment.CLIENT_SECRET)],
    resources: [{ identifier: resource, scopes: ["mcp:read", "mcp:write"], accessTokenFormat: "opaque" }],
    accessTokenLifetime: 600
  })
  const config = yield* writeConfig({
    servers: [
      entry("remote", "http://127.0.0.1:1/mcp", server.tokenEndpoint, {
        resource,
        scope: "mcp:read mcp:write"
      })
    ]
  })
  return { server, config }
})

describe("token", () => {
  layer(TestLayer)((it) => {
    it.effect("describes the token of a server and does not show it", () =>
      Effect.gen(function* () {
        const { config } = yield* withAuthorizationServer
        const { exitCode, stderr, stdout } = yield* runGateway(
          ["token", "remote", "--config", config],
          secretEnvironment
        )
        assert.strictEqual(exitCode, 0)
        assert.include(stderr, "correlation_id", "what is logged does not mix with the result")
        const described = new Map(
          stdout
            .trimEnd()
            .split("\n")
            .map((line) => [line.slice(0, 14).trim(), line.slice(14)] as const)
        )
        assert.deepStrictEqual(
          [...described.keys()],
          ["server_name", "token_type", "scope", "expires_at", "expires_in", "source"]
        )
        assert.strictEqual(described.get("server_name"), "remote")
        assert.strictEqual(described.get("token_type"), "Bearer")
        assert.strictEqual(described.get("scope"), "mcp:read mcp:write")
        assert.strictEqual(described.get("source"), "acquired")
        assert.match(described.get("expires_at") ?? "", /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
        assert.isAtMost(Number(described.get("expires_in")), 600)
      })
    )

    it.effect(
      "describes the token as JSON, requests one with --force-refresh, and shows it with --show",
      () =>
        Effect.gen(function* () {
          const { config, server } = yield* withAuthorizationServer
          const run = (...flags: ReadonlyArray<string>) =>
            runGateway(["token", "remote", "--config", config, "--json", ...flags], secretEnvironment)
          const hidden = yield* run("--force-refresh")
          const shown = yield* run("--show")
          assert.strictEqual(hidden.exitCode, 0)
          assert.deepInclude(JSON.parse(hidden.stdout), {
            server_name: "remote",
            token_type: "Bearer",
            scope: "mcp:read mcp:write",
            source: "acquired"
          })
          assert.notProperty(JSON.parse(hidden.stdout), "access_token")
          const { active } = yield* server.verify(JSON.parse(shown.stdout).access_token)
          assert.isTrue(active)
          assert.lengthOf(yield* server.tokenRequests, 2)
        })
    )

    it.effect("requires the name of a configured server", () =>
      Effect.gen(function* () {
        const config = yield* writeConfig({
          servers: [entryWith(), { ...entryWith(), server_name: "other" }]
        })
        assert.deepStrictEqual(yield* runGateway(["token", "remtoe", "--config", config]), {
          exitCode: 1,
          stdout: "",
          stderr: 'No server "remtoe" is configured. There are: remote, other\n'
        })
      })
    )

    it.effect("requires a server that has an OAuth configuration", () =>
      Effect.gen(function* () {
        const config = yield* writeConfig({ servers: [entryWith({ enabled: false })] })
        assert.deepStrictEqual(yield* runGateway(["token", "remote", "--config", config]), {
          exitCode: 1,
          stdout: "",
          stderr: 'The server "remote" has no `oauth` that is enabled, so it gets no token\n'
        })
      })
    )

    it.effect("exits with an error when SIGTERM interrupts it", () =>
      Effect.gen(function* () {
        const server = yield* StubAuthorizationServer.make()
        yield* server.always("/token", Answer.hang)
        const config = yield* writeConfig({
          servers: [entry("remote", "http://127.0.0.1:1/mcp", server.endpoint("/token"))]
        })
        const command = yield* startGateway(["token", "remote", "-c", config], secretEnvironment)
        yield* server.received(1)
        yield* command.signal("SIGTERM")
        const { exitCode, stdout } = yield* command.finished
        assert.deepStrictEqual([exitCode, stdout], [143, ""])
      })
    )

    it.effect("says what failed, for which server, why, what to do, and the correlation id", () =>
      Effect.gen(function* () {
        const server = yield* StubAuthorizationServer.make()
        yield* server.always(
          "/token",
          Answer.json({ error: "invalid_client", error_description: "No such client" }, { status: 401 })
        )
        const config = yield* writeConfig({
          servers: [entry("remote", "http://127.0.0.1:1/mcp", server.endpoint("/token"))]
        })
        const { exitCode, stderr, stdout } = yield* runGateway(
          ["token", "remote", "-c", config],
          secretEnvironment
        )
        const [sent] = yield* server.requests
        assert.strictEqual(exitCode, 1)
        assert.strictEqual(stdout, "")
        assert.strictEqual(
          stderr,
          `Could not get an access token for server "remote": the token endpoint ${server.url}/token refused the request` +
            " with HTTP 401 (invalid_client: No such client). Check `client_id`, `client_secret` and `use_basic_auth`" +
            ` [correlation id ${sent?.headers["x-correlation-id"]}]\n`
        )
      })
    )
  })
})
