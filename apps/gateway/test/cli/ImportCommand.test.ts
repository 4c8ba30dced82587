import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { TestLayer, writeFile } from "../config/configFile.ts"
import { runGateway } from "./gatewayProcess.ts"

const desktop = JSON.stringify({
  mcpServers: {
    notes: { command: "notes", env: { NOTES_TOKEN: "canary-notes" }, timeout: 5 },
    wiki: { url: "https://wiki.example.com/mcp" }
  }
})

const configuration = {
  servers: [
    { server_name: "notes", config: { command: "notes", env: { NOTES_TOKEN: "${env:NOTES_TOKEN}" } } },
    {
      server_name: "wiki",
      config: { url: "https://wiki.example.com/mcp" },
      oauth: { enabled: true, grant_type: "authorization_code" }
    }
  ]
}

describe("import", () => {
  layer(TestLayer)((it) => {
    it.effect("prints the configuration, and on standard error what to set and what is left out", () =>
      Effect.gen(function* () {
        const file = yield* writeFile("desktop.json", desktop)
        const { exitCode, stderr, stdout } = yield* runGateway(["import", file])
        assert.strictEqual(exitCode, 0)
        assert.deepStrictEqual(JSON.parse(stdout), configuration)
        assert.strictEqual(
          stderr,
          "Left out or changed:\n  notes: `timeout` is left out\nVariables to set:\n  NOTES_TOKEN (notes)\n"
        )
      })
    )

    it.effect("writes a file that check accepts, and replaces one only with --force", () =>
      Effect.gen(function* () {
        const file = yield* writeFile("desktop.json", desktop)
        const out = join(dirname(file), "gateway.json")
        const first = yield* runGateway(["import", file, "--out", out])
        assert.deepInclude(first, { exitCode: 0, stdout: "" })
        const check = yield* runGateway(["check", "--config", out], { NOTES_TOKEN: "canary-notes" })
        assert.deepInclude(check, { exitCode: 0, stdout: `${out} is valid: 2 servers\n` })
        const second = yield* runGateway(["import", file, "--out", out])
        assert.deepInclude(second, { exitCode: 1, stderr: `${out} is there already: --force replaces it\n` })
        assert.strictEqual((yield* runGateway(["import", file, "--out", out, "--force"])).exitCode, 0)
        const itself = yield* runGateway(["import", file, "--out", file, "--force"])
        assert.strictEqual(itself.exitCode, 1)
        assert.strictEqual(readFileSync(file, "utf8"), desktop)
      })
    )

    it.effect("writes nothing if one of the files cannot be read", () =>
      Effect.gen(function* () {
        const file = yield* writeFile("desktop.json", desktop)
        const out = join(dirname(file), "gateway.json")
        const missing = join(dirname(file), "missing.json")
        const { exitCode, stderr } = yield* runGateway(["import", file, missing, "--out", out])
        assert.strictEqual(exitCode, 1)
        assert.strictEqual(stderr, `${missing}: the file cannot be read (NotFound)\n`)
        assert.isFalse(existsSync(out))
      })
    )
  })
})
