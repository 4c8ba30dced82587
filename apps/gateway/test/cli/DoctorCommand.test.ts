import { assert, describe, layer } from "@effect/vitest"
import { Answer, assertNoCanary, canary, findCanaries } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { TestLayer } from "../config/configFile.ts"
import { oauthPlace, startServers } from "../doctor/Diagnosing.ts"
import { runGateway, writeConfig } from "./gatewayProcess.ts"

const secrets = {
  CLIENT_SECRET: canary("client-secret"),
  CUSTOM_HEADER: canary("custom-header"),
  PARAMETER: canary("parameter"),
  UPSTREAM_HEADER: canary("upstream-header"),
  API_KEY: canary("api-key"),
  STORE_KEY: canary("store-key")
}

const stage = Effect.gen(function* () {
  const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
  const servers = yield* startServers()
  const document = {
    gateway: { api_keys: ["${env:API_KEY}"] },
    store: { type: "file", directory, encryption_key: "${env:STORE_KEY}" },
    servers: [
      {
        ...servers.entry({
          client_id: "ours",
          client_secret: "${env:CLIENT_SECRET}",
          custom_headers: { "X-Api-Key": "${env:CUSTOM_HEADER}" },
          additional_params: { pin: "${env:PARAMETER}" }
        }),
        config: { url: servers.url, headers: { "X-Upstream": "${env:UPSTREAM_HEADER}" } }
      }
    ]
  }
  return { ...servers, document }
})

describe("doctor", () => {
  layer(TestLayer)((it) => {
    it.effect("`doctor` prints a line a step and ends with 0 if a login can work, with 1 if it cannot", () =>
      Effect.gen(function* () {
        const { as, document } = yield* stage
        const config = yield* writeConfig(document)
        const run = runGateway(["doctor", "remote", "--config", config, "--subject", "ann"], secrets)
        const well = yield* run
        assert.strictEqual(well.exitCode, 0)
        assert.strictEqual(well.stderr, "")
        assert.match(well.stdout, /^ok {7}address {2,}127\.0\.0\.1 is 127\.0\.0\.1 \(loopback\)$/m)
        assert.match(well.stdout, /^ok {7}lease /m)
        assert.include(well.stdout, "none of ann is stored")
        yield* as.always(oauthPlace, Answer.text("", { status: 404 }))
        const failing = yield* run
        assert.strictEqual(failing.exitCode, 1)
        assert.match(failing.stdout, /^failed {3}authorization_server_metadata /m)
        assert.match(failing.stdout, /^ +-> Check `issuer`/m)
        assert.include(failing.stdout, '1 step keeps "remote" from a token')
      })
    )

    it.effect.each(["lines", "JSON"])(
      "`doctor` shows no secret in its %s, even if a server knows it",
      (form) =>
        Effect.gen(function* () {
          const { document, mcp, serveMetadata } = yield* stage
          const all = Object.values(secrets)
          const told = all.join(" ")
          yield* mcp.always(
            "/mcp",
            Answer.json(
              { told },
              { status: 401, headers: { "www-authenticate": `Bearer realm="${told}", scope="${told}"` } }
            )
          )
          yield* serveMetadata({ issuer: `https://${secrets.CLIENT_SECRET}.example`, scopes_supported: all })
          const config = yield* writeConfig(document)
          const { exitCode, stderr, stdout } = yield* runGateway(
            [
              "doctor",
              "remote",
              "--config",
              config,
              "--log-level",
              "trace",
              ...(form === "JSON" ? ["--json"] : [])
            ],
            secrets
          )
          assert.strictEqual(exitCode, 1)
          assert.include(stdout, "[secret]", "the server did say it")
          assertNoCanary(stdout, all)
          assertNoCanary(stderr, all)
          const sent = (yield* mcp.requests).map(({ body, headers }) => ({ body, headers }))
          assert.isEmpty(findCanaries(sent, secrets.CLIENT_SECRET), "nothing is sent that is not needed")
          if (form === "JSON") assert.strictEqual(JSON.parse(stdout).possible, false)
        })
    )

    it.effect("the error of a discovery that failed names the command `doctor`", () =>
      Effect.gen(function* () {
        const { as, document, entry } = yield* stage
        yield* as.always(oauthPlace, Answer.text("", { status: 404 }))
        const config = yield* writeConfig({
          ...document,
          servers: [
            entry({
              grant_type: "client_credentials",
              issuer: as.url,
              client_id: "ours",
              client_secret: "s3cret!!"
            })
          ]
        })
        const { stderr } = yield* runGateway(["token", "remote", "--config", config], secrets)
        assert.include(stderr, "`secure-mcp-gateway doctor remote`")
      })
    )
  })
})
