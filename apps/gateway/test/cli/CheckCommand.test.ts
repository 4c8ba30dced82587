import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { entryWith, TestLayer } from "../config/configFile.ts"
import { runGateway, writeConfig } from "./gatewayProcess.ts"

const root = fileURLToPath(new URL("../../../..", import.meta.url))

describe("check", () => {
  layer(TestLayer)((it) => {
    it.effect("says on standard output that a file is valid", () =>
      Effect.gen(function* () {
        const config = yield* writeConfig({
          servers: [entryWith(), { ...entryWith(), server_name: "other" }]
        })
        assert.deepStrictEqual(yield* runGateway(["check", "--config", config]), {
          exitCode: 0,
          stdout: `${config} is valid: 2 servers\n`,
          stderr: ""
        })
      })
    )

    it.effect("says on standard error everything that is wrong, and nothing else", () =>
      Effect.gen(function* () {
        const config = yield* writeConfig({
          gateway: { prot: 1 },
          servers: [entryWith({ scope: "", client_secret: "${env:CLIENT_SECRET}" })]
        })
        const { exitCode, stderr, stdout } = yield* runGateway(["check", "-c", config])
        assert.strictEqual(exitCode, 1)
        assert.strictEqual(stdout, "")
        assert.deepStrictEqual(stderr.split("\n"), [
          `${config}: 3 configuration problems:`,
          "  servers[0].oauth.client_secret: the environment variable CLIENT_SECRET is not set or empty: export it, or write the value here",
          "  gateway.prot: unknown key: did you mean `port`?",
          "  servers[0].oauth.scope: must be scope names separated by single spaces (RFC 6749 §3.3)",
          ""
        ])
      })
    )

    it.effect("warns of a key that gives a protection up, and says that the file is valid", () =>
      Effect.gen(function* () {
        const config = yield* writeConfig({
          servers: [entryWith({ resource: false, issuer_mismatch: "allow" })]
        })
        const { exitCode, stderr, stdout } = yield* runGateway(["check", "--config", config])
        assert.strictEqual(exitCode, 0)
        assert.strictEqual(stdout, `${config} is valid: 1 server\n`)
        assert.match(
          stderr,
          /^warning: servers\[0\]\.oauth\.resource: the audience of the token is not bound/
        )
        assert.match(stderr, /^warning: servers\[0\]\.oauth\.issuer_mismatch: /m)
      })
    )

    it.effect("--explain prints what a provider sets and the proxy, without its credentials", () =>
      Effect.gen(function* () {
        const config = yield* writeConfig({
          gateway: { proxy: "http://user:hunter22@proxy.example:3128" },
          servers: [
            { ...entryWith({ provider: "entra", scope_on_refresh: false }), server_name: "entra" },
            { ...entryWith(), server_name: "direct", proxy: false }
          ]
        })
        const { exitCode, stdout } = yield* runGateway(["check", "-c", config, "--explain"])
        assert.strictEqual(exitCode, 0)
        assert.include(stdout, '\nentra:\n  `provider` "entra" (Entra)\n')
        assert.include(stdout, "\n  sets resource to false: leaves out `resource`")
        assert.include(stdout, "\n    https://github.com/punkpeye/mcp-remote/issues/217\n")
        assert.include(stdout, "\n  does not set scope_on_refresh: the entry says otherwise\n")
        assert.include(stdout, "\n  is reached through http://proxy.example:3128\n")
        assert.include(stdout, "\ndirect:\n  no `provider`\n  is reached without a proxy\n")
        assert.notInclude(stdout, "hunter22")
      })
    )

    it.effect("takes a relative path from the folder of the caller, also under npm run", () =>
      Effect.gen(function* () {
        const folder = dirname(yield* writeConfig({ servers: [entryWith()] }))
        const { status, stderr, stdout } = spawnSync(
          "npm",
          ["--prefix", root, "run", "--silent", "gateway", "--", "check", "--config", "gateway.json"],
          { cwd: folder, encoding: "utf8" }
        )
        assert.deepStrictEqual([status, stdout, stderr], [0, "gateway.json is valid: 1 server\n", ""])
      })
    )

    it.effect("says the full path of a file that does not exist", () =>
      Effect.gen(function* () {
        const env = { npm_package_name: "@secure-mcp/gateway", INIT_CWD: "/nonexistent" }
        const { exitCode, stderr } = yield* runGateway(["check", "--config", "gateway.json"], env)
        assert.strictEqual(exitCode, 1)
        assert.include(stderr, "the file /nonexistent/gateway.json cannot be read (NotFound)")
      })
    )
  })
})
