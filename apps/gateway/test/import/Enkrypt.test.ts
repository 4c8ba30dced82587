import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestLayer } from "../config/configFile.ts"
import { importing } from "./importing.ts"

const url = "https://orders.example.com/mcp"

const client = {
  enabled: true,
  OAUTH_VERSION: "2.1",
  OAUTH_CLIENT_ID: "c",
  OAUTH_CLIENT_SECRET: "canary-secret",
  OAUTH_TOKEN_URL: "https://login.example.com/token"
}

const clientHere = {
  enabled: true,
  version: "2.1",
  client_id: "c",
  token_url: "https://login.example.com/token"
}

const file = (...servers: ReadonlyArray<object>) => ({
  "enkrypt_mcp_config.json": {
    admin_apikey: "canary-admin",
    plugins: { guardrails: { config: { api_key: "canary-guardrail" } } },
    mcp_configs: { one: { mcp_config: servers } },
    users: { u: { email: "canary@example.com" } },
    apikeys: { "canary-key": { user_id: "u" } }
  }
})

const remote = {
  command: "npx",
  args: ["-y", "mcp-remote", url, "--header", "Authorization: Bearer ${AUTH}"]
}

describe("a file of enkryptai/secure-mcp-gateway", () => {
  layer(TestLayer)((it) => {
    it.effect("remote servers are imported with their oauth_config, without its nulls", () =>
      Effect.gen(function* () {
        const { document, everything, remarks } = yield* importing(
          file({
            server_name: "orders",
            config: remote,
            oauth_config: {
              ...client,
              is_remote: true,
              OAUTH_SCOPE: "read write",
              OAUTH_CA_BUNDLE_PATH: null,
              OAUTH_CUSTOM_HEADERS: { "X-Tenant": "acme", "X-Api-Key": "canary-header" },
              OAUTH_ADDITIONAL_PARAMS: {}
            },
            input_guardrails_policy: { enabled: true },
            output_guardrails_policy: { enabled: false }
          })
        )
        assert.deepStrictEqual(document.servers, [
          {
            server_name: "orders",
            config: { url },
            oauth: {
              ...clientHere,
              client_secret: "${env:ORDERS_CLIENT_SECRET}",
              scope: "read write",
              custom_headers: { "X-Tenant": "acme", "X-Api-Key": "${env:ORDERS_X_API_KEY}" }
            }
          }
        ])
        assert.notInclude(everything, "canary")
        for (const word of [
          "`admin_apikey`",
          "`plugins`",
          "`users`",
          "`apikeys`",
          "`input_guardrails_policy`"
        ]) {
          assert.isTrue(
            remarks.some((remark) => remark.includes(word)),
            word
          )
        }
        assert.isFalse(remarks.some((remark) => remark.includes("output_guardrails_policy")))
      })
    )

    it.effect("stdio servers are imported with their environment variables", () =>
      Effect.gen(function* () {
        const { document } = yield* importing(
          file({
            server_name: "reports",
            config: { command: "python", args: ["a.py"] },
            oauth_config: client
          })
        )
        assert.deepStrictEqual(document.servers, [
          {
            server_name: "reports",
            config: { command: "python", args: ["a.py"] },
            oauth: {
              ...clientHere,
              client_secret: "${env:REPORTS_CLIENT_SECRET}",
              token_env: [
                "ENKRYPT_ACCESS_TOKEN",
                { name: "AUTHORIZATION", format: "Bearer {token}" },
                { name: "AUTH_HEADER", format: "Bearer {token}" }
              ]
            }
          }
        ])
      })
    )

    it.effect("a disabled oauth is not imported, and unsupported settings are left out", () =>
      Effect.gen(function* () {
        const { document, everything, remarks } = yield* importing(
          file(
            { server_name: "off", config: { command: "a" }, oauth_config: { ...client, enabled: false } },
            { server_name: "off-remote", config: remote, oauth_config: { ...client, enabled: false } },
            {
              server_name: "refresh",
              config: { command: "a" },
              oauth_config: { ...client, OAUTH_GRANT_TYPE: "refresh_token" }
            },
            {
              server_name: "clear",
              config: { command: "a" },
              oauth_config: { ...client, OAUTH_TOKEN_URL: "http://login.example.com/token" }
            }
          )
        )
        assert.deepStrictEqual(
          document.servers.map((server) => [
            Reflect.get(server, "server_name"),
            Reflect.has(server, "oauth")
          ]),
          [
            ["off", false],
            ["off-remote", false]
          ]
        )
        for (const name of ["refresh", "clear"]) {
          assert.isTrue(
            remarks.some((remark) => remark.startsWith(`${name}: left out: `)),
            name
          )
        }
        assert.notInclude(everything, "canary")
      })
    )

    it.effect("paths of certificates are imported with ~ expanded, and missing files are named", () =>
      Effect.gen(function* () {
        const { document, remarks } = yield* importing(
          file({
            server_name: "orders",
            config: { url },
            oauth_config: {
              ...client,
              OAUTH_USE_MTLS: true,
              OAUTH_CLIENT_CERT_PATH: "~/nowhere/client.pem",
              OAUTH_CLIENT_KEY_PATH: "/nowhere/client.key"
            }
          })
        )
        const { client_cert_path } = Object(Object(document.servers[0]).oauth)
        assert.match(client_cert_path, /^\/.*\/nowhere\/client\.pem$/)
        assert.isTrue(remarks.some((remark) => remark.includes("client_key_path")))
      })
    )
  })
})
