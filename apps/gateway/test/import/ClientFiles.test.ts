import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestLayer } from "../config/configFile.ts"
import { importing, importingOne, loggingIn, without } from "./importing.ts"

const names = ({ document }: { readonly document: { readonly servers: ReadonlyArray<object> } }) =>
  document.servers.map((server) => Reflect.get(server, "server_name"))

describe("servers of another program's file", () => {
  layer(TestLayer)((it) => {
    it.effect.each([
      ["mcpServers", { mcpServers: { one: { command: "a" } } }],
      ["mcpServers as a list", { mcpServers: [{ name: "one", command: "a" }] }],
      ["servers", { servers: { one: { command: "a" } } }],
      ["mcp.servers", { mcp: { inputs: [], servers: { one: { command: "a" } } } }],
      ["mcp.servers in one key", { "mcp.servers": { one: { command: "a" } } }],
      ["context_servers", { context_servers: { one: { command: { path: "a", args: null } } } }],
      ["opencode's mcp", { mcp: { one: { type: "local", command: ["a"] } } }],
      [
        "the projects of Claude Code",
        { projects: { "/home/somebody": { mcpServers: { one: { command: "a" } } } } }
      ],
      [
        "mcp_configs",
        { mcp_configs: { c: { mcp_config: [{ server_name: "one", config: { command: "a" } }] } } }
      ]
    ] as const)("servers are found in %s", ([, document]) =>
      Effect.gen(function* () {
        const imported = yield* importing({ "file.json": document })
        assert.deepStrictEqual(imported.document.servers, [{ server_name: "one", config: { command: "a" } }])
        assert.notInclude(imported.everything, "somebody")
      })
    )

    it.effect("a client's file can have comments, trailing commas, a byte order mark and CRLF", () =>
      Effect.gen(function* () {
        const text =
          '\uFEFF// mine\r\n{ "mcpServers": { /* one */ "one": { "command": "a", "args": ["//b",], }, }, }\r\n'
        const imported = yield* importing({ "file.json": text })
        assert.deepStrictEqual(imported.document.servers, [
          { server_name: "one", config: { command: "a", args: ["//b"] } }
        ])
      })
    )

    it.effect("servers are read from the TOML of Codex", () =>
      Effect.gen(function* () {
        const text = `[mcp_servers.one]
url = "https://one.example.com/mcp"
bearer_token_env_var = "ONE_TOKEN"
env_http_headers = { "X-Team" = "TEAM" }
[mcp_servers.two]
command = "two"
startup_timeout_sec = 5
[mcp_servers.two.env]
TWO_KEY = "canary-two"`
        const imported = yield* importing({ "config.toml": text })
        assert.deepStrictEqual(imported.document.servers, [
          {
            server_name: "one",
            config: {
              url: "https://one.example.com/mcp",
              headers: { "X-Team": "${env:TEAM}", Authorization: "Bearer ${env:ONE_TOKEN}" }
            }
          },
          { server_name: "two", config: { command: "two", env: { TWO_KEY: "${env:TWO_KEY}" } } }
        ])
        assert.deepStrictEqual(imported.remarks, ["two: `startup_timeout_sec` is left out"])
      })
    )

    it.effect.each([
      ["a file that is no JSON", '{ "token": "canary-broken'],
      ["an empty file", ""],
      ["a file without servers", { name: "a", token: "canary-other" }],
      ["an API description", { servers: [{ url: "https://api.example.com" }] }],
      ["the settings of Gemini without servers", { mcp: { allowed: ["a"] } }]
    ] as const)("%s has no servers, and the message does not quote it", ([, content]) =>
      Effect.gen(function* () {
        const problems = yield* Effect.flip(importing({ "file.json": content }))
        assert.lengthOf(problems, 1)
        assert.match(
          problems.join(),
          /file\.json: the file (is not JSON: syntax error at line|holds no MCP servers)/
        )
        assert.notInclude(problems.join(), "canary")
      })
    )

    it.effect("imported servers get names that the gateway accepts, and no duplicate is lost", () =>
      Effect.gen(function* () {
        const server = { command: "a" }
        const imported = yield* importing({
          "a.json": {
            mcpServers: { "My notes": server, "a/b": server, "": server, "..": server, été: server }
          },
          "b.json": { servers: { "My-notes": server, "a/b": server } }
        })
        assert.deepStrictEqual(names(imported), [
          "My-notes",
          "a-b",
          "server",
          "server-2",
          "ete",
          "My-notes-2",
          "a-b-2"
        ])
        assert.include(imported.remarks, "My notes: it is called My-notes here")
        assert.include(imported.remarks, "My-notes: it is called My-notes-2 here")
      })
    )

    it.effect("servers that cannot be imported are left out and named", () =>
      Effect.gen(function* () {
        const imported = yield* importing({
          "a.json": {
            mcpServers: {
              socket: { url: "wss://a.example.com" },
              typed: { type: "ws", url: "https://a.example.com" },
              empty: {},
              none: null,
              extension: { settings: { token: "canary-extension" } },
              ftp: { url: "ftp://a.example.com" },
              kept: { command: "a" }
            }
          }
        })
        assert.deepStrictEqual(names(imported), ["kept"])
        for (const name of ["socket", "typed", "empty", "none", "extension", "ftp"]) {
          assert.isTrue(
            imported.remarks.some((remark) => remark.startsWith(`${name}: left out: `)),
            name
          )
        }
        assert.notInclude(imported.everything, "canary")
      })
    )

    it.effect("each key that is left out is named, except those without an effect", () =>
      Effect.gen(function* () {
        const { remarks, server } = yield* importingOne({
          command: "a",
          env: null,
          timeout: 5,
          trust: true,
          alwaysAllow: ["x"],
          autoApprove: [],
          envFile: ".env",
          disabled: true,
          settings: {}
        })
        assert.deepStrictEqual(server, without({ command: "a" }))
        for (const key of ["timeout", "trust", "alwaysAllow", "envFile", "disabled"]) {
          assert.isTrue(
            remarks.some((remark) => remark.startsWith("notes: ") && remark.includes(`\`${key}\``)),
            key
          )
        }
        assert.lengthOf(remarks, 5)
      })
    )

    it.effect("a server with a plain http URL is imported without enforced https", () =>
      Effect.gen(function* () {
        const { server } = yield* importingOne({ serverUrl: "http://10.0.0.7/mcp" })
        assert.deepStrictEqual(server, loggingIn("http://10.0.0.7/mcp", { enforce_https: false }))
      })
    )

    it.effect.each([
      [{ type: "sse", url: "https://a.example.com/x" }, "type sse"],
      [{ url: "https://a.example.com/sse" }, "ends with /sse"]
    ] as const)("a server that speaks HTTP+SSE is imported with a warning: %j", ([entry, words]) =>
      Effect.gen(function* () {
        const { remarks, server } = yield* importingOne(entry)
        assert.deepStrictEqual(server, loggingIn(entry.url, {}, { transport: "sse" }))
        assert.isTrue(remarks.some((remark) => remark.includes("HTTP+SSE") && remark.includes(words)))
      })
    )

    it.effect("a server is imported with its registered client", () =>
      Effect.gen(function* () {
        const url = "https://a.example.com/mcp"
        const secret = "${env:NOTES_CLIENT_SECRET}"
        const cases = [
          [
            { oauth: { clientId: "c", clientSecret: "canary", scopes: ["a", "b"], callbackPort: 3118 } },
            {
              client_id: "c",
              client_secret: secret,
              scope: "a b",
              redirect_uri: "http://localhost:3118/callback"
            }
          ],
          [
            { auth: { CLIENT_ID: "c", CLIENT_SECRET: "canary", scopes: ["a"] } },
            { client_id: "c", client_secret: secret, scope: "a" }
          ],
          [
            {
              oauth: { authorizationUrl: "https://i.example/a", tokenUrl: "https://i.example/t", scope: "a" }
            },
            { authorization_url: "https://i.example/a", token_url: "https://i.example/t", scope: "a" }
          ],
          [
            {
              oauth: {
                authServerMetadataUrl: "https://i.example/.well-known/oauth-authorization-server/realm"
              }
            },
            { issuer: "https://i.example/realm" }
          ],
          [
            { oauth: { authServerMetadataUrl: "https://i.example/.well-known/openid-configuration" } },
            { issuer: "https://i.example" }
          ],
          [{ oauth: true }, {}],
          [{ oauth: {} }, {}]
        ] as const
        for (const [entry, oauth] of cases) {
          const { everything, server } = yield* importingOne({ url, ...entry })
          assert.deepStrictEqual(server, loggingIn(url, oauth))
          assert.notInclude(everything, "canary")
        }
      })
    )

    it.effect("a server without a login there gets no oauth here", () =>
      Effect.gen(function* () {
        for (const oauth of [false, { enabled: false, clientId: "c" }]) {
          const { server } = yield* importingOne({ url: "https://a.example.com/mcp", oauth })
          assert.deepStrictEqual(server, without({ url: "https://a.example.com/mcp" }))
        }
      })
    )

    it.effect("values that break a rule of the gateway are left out and named", () =>
      Effect.gen(function* () {
        const url = "https://a.example.com/mcp"
        const { remarks, server } = yield* importingOne({
          url,
          headers: { "X Bad": "a", "X-Team": "b" },
          oauth: { clientId: "c", redirectUri: "http://other.example/cb", tokenUrl: "https://i.example/t" }
        })
        assert.deepStrictEqual(server, loggingIn(url, { client_id: "c" }, { headers: { "X-Team": "b" } }))
        for (const key of ["headers.X Bad", "oauth.redirect_uri", "tokenUrl"]) {
          assert.isTrue(
            remarks.some((remark) => remark.includes(`\`${key}\``)),
            key
          )
        }
      })
    )
  })
})
