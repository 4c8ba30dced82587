import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { DefaultUserAgent, userAgentOf } from "../../../../packages/gateway-server/src/config/UserAgent.ts"
import { entryWith, load, loadFile, problemsOf, TestLayer, writeFile } from "./configFile.ts"

/** The example of the product's first document, word for word. */
const seed = `{
  "project_id": "default",
  "config_id": "default",
  "gateway": { "host": "127.0.0.1", "port": 8787, "auth_timeout_seconds": 10 },
  "servers": [
    {
      "server_name": "remote_mcp_server",
      "config": { "url": "https://api.example.com/mcp", "transport": "http" },
      "oauth": {
        "enabled": true, "version": "2.1", "grant_type": "client_credentials",
        "token_url": "https://auth.example.com/oauth/token",
        "client_id": "your_client_id", "client_secret": "\${env:CLIENT_SECRET}",
        "audience": "https://api.example.com", "scope": "mcp:read mcp:write",
        "enforce_https": true
      }
    },
    { "server_name": "local", "config": { "command": "node", "args": ["server.js"], "env": {} } }
  ]
}`

describe("a configuration file", () => {
  layer(TestLayer)((it) => {
    it.effect("the documented example is a valid configuration file", () =>
      Effect.gen(function* () {
        const config = yield* load(seed, { CLIENT_SECRET: "s3cret" })
        assert.deepInclude(config, { projectId: "default", configId: "default" })
        const [remote, local] = config.servers
        assert.strictEqual(remote?._tag, "Http")
        assert.strictEqual(remote?.serverName, "remote_mcp_server")
        assert.strictEqual(Redacted.value(remote?.oauth?.clientSecret ?? Redacted.make("")), "s3cret")
        assert.deepInclude(remote?.oauth, {
          version: "2.1",
          grantType: "client_credentials",
          tokenUrl: "https://auth.example.com/oauth/token",
          clientId: "your_client_id",
          audience: "https://api.example.com",
          scope: "mcp:read mcp:write",
          enforceHttps: true
        })
        assert.deepInclude(local, { _tag: "Stdio", serverName: "local", command: "node", oauth: undefined })
      })
    )

    it.effect("a server's User-Agent goes before that of the file, and that before the gateway's own", () =>
      Effect.gen(function* () {
        const servers = [
          { ...entryWith(), server_name: "own", user_agent: "own/1" },
          { ...entryWith(), server_name: "other" }
        ]
        const agents = (document: object) =>
          load(document).pipe(
            Effect.provideService(DefaultUserAgent, userAgentOf("1.2.3")),
            Effect.map((config) => config.servers.map(({ userAgent }) => userAgent))
          )
        assert.deepStrictEqual(yield* agents({ servers, gateway: { user_agent: "all/1" } }), [
          "own/1",
          "all/1"
        ])
        assert.deepStrictEqual(yield* agents({ servers }), [
          "own/1",
          "secure-mcp-gateway/1.2.3 (+https://github.com/secure-mcp/secure-mcp-gateway)"
        ])
        const broken = {
          servers: [{ ...entryWith(), user_agent: "two\nlines" }],
          gateway: { user_agent: "" }
        }
        assert.deepStrictEqual(
          (yield* problemsOf(broken)).map((problem) => problem.slice(0, problem.indexOf(":"))),
          ["gateway.user_agent", "servers[0].user_agent"]
        )
      })
    )

    it.effect("everything but the servers is optional", () =>
      Effect.gen(function* () {
        const config = yield* load({ servers: [entryWith()] })
        assert.strictEqual(config.projectId, "default")
        assert.strictEqual(config.configId, "default")
        assert.deepInclude(config.gateway, {
          host: "127.0.0.1",
          port: 8787,
          authTimeoutSeconds: 10,
          apiKeys: [],
          allowedHosts: []
        })
      })
    )

    it.effect("each key of `gateway` is optional", () =>
      Effect.gen(function* () {
        const config = yield* load({
          gateway: { port: 0, api_keys: ["0123456789abcdef"], allowed_hosts: ["gateway.example.com"] },
          servers: [entryWith()]
        })
        assert.strictEqual(config.gateway.host, "127.0.0.1")
        assert.strictEqual(config.gateway.port, 0)
        assert.lengthOf(config.gateway.apiKeys, 1)
        assert.deepStrictEqual(config.gateway.allowedHosts, ["gateway.example.com"])
      })
    )

    it.effect("a configuration file can begin with a byte order mark, as Windows editors write it", () =>
      Effect.gen(function* () {
        const config = yield* load(`\uFEFF${JSON.stringify({ servers: [entryWith()] })}`)
        assert.lengthOf(config.servers, 1)
      })
    )

    it.effect("a configuration file that does not exist is an error", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(loadFile("/nonexistent/gateway.json"))
        assert.include(error.message, "/nonexistent/gateway.json")
        assert.include(error.message, "NotFound")
      })
    )

    it.effect("a directory is not a configuration file", () =>
      Effect.gen(function* () {
        const path = yield* writeFile("gateway.json", "")
        const error = yield* Effect.flip(loadFile(path.slice(0, path.lastIndexOf("/"))))
        assert.include(error.message, "cannot be read")
      })
    )

    it.effect.each([
      ["no object", [], ["(root): must be a JSON object"]],
      ["without servers", {}, ["servers: must name at least one server"]],
      ["with an empty list of servers", { servers: [] }, ["servers: must name at least one server"]],
      [
        "with a port that is none",
        { gateway: { port: 65_536 }, servers: [entryWith()] },
        ["gateway.port: must be 0 to 65535"]
      ],
      [
        "with an API key that can be guessed",
        { gateway: { api_keys: ["0123456789abcdef", "short"] }, servers: [entryWith()] },
        ["gateway.api_keys[1]: must have at least 16 characters, so that it cannot be guessed"]
      ],
      [
        "with a person's API key that can be guessed",
        { gateway: { api_keys: [{ key: "short", subject: "alice" }] }, servers: [entryWith()] },
        ["gateway.api_keys[0]: must have at least 16 characters, so that it cannot be guessed"]
      ],
      [
        "with allowed hosts that no Host header matches",
        {
          gateway: { allowed_hosts: ["ok.example", "Upper.example", "a:80", "https://a"] },
          servers: [entryWith()]
        },
        [1, 2, 3].map(
          (index) =>
            `gateway.allowed_hosts[${index}]: must be a host name in lower case, without scheme and port`
        )
      ],
      [
        "with a callback port that is none",
        { gateway: { callback_port: -1 }, servers: [entryWith()] },
        ["gateway.callback_port: must be 0 to 65535"]
      ],
      [
        "with no time for the authorization server",
        { gateway: { auth_timeout_seconds: 0 }, servers: [entryWith()] },
        ["gateway.auth_timeout_seconds: must be more than 0 seconds"]
      ],
      [
        "with a name that cannot stand in a path",
        { servers: [{ ...entryWith(), server_name: "a/b" }] },
        ["servers[0].server_name: must be letters, digits, `.`, `_` and `-`"]
      ],
      [
        "with two servers of one name",
        { servers: [entryWith(), { ...entryWith(), server_name: "other" }, entryWith()] },
        ["servers[2].server_name: must be unique; servers[0] has the same name"]
      ],
      [
        "with a grant that is none to configure",
        { servers: [entryWith({ grant_type: "refresh_token" })] },
        ["servers[0].oauth.grant_type: Unsupported grant type: refresh_token"]
      ]
    ] as const)("a configuration file is refused: %s", ([, document, problems]) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* problemsOf(document), [...problems])
      })
    )
  })
})
