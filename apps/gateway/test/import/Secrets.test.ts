import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestLayer } from "../config/configFile.ts"
import { importing, importingOne, without } from "./importing.ts"

describe("secrets and references of another program's file", () => {
  layer(TestLayer)((it) => {
    it.effect.each([
      [{ API_TOKEN: "canary" }, { API_TOKEN: "${env:API_TOKEN}" }],
      [{ PGPASSWORD: "canary" }, { PGPASSWORD: "${env:NOTES_PGPASSWORD}" }],
      [{ DB: "postgres://u:can/ary@h/db" }, { DB: "postgres://u:${env:DB_PASSWORD}@h/db" }],
      [
        { JSON: '{"apiKey": "canary", "limit": 3}' },
        { JSON: '{"apiKey": "${env:NOTES_API_KEY}", "limit": 3}' }
      ],
      [{ HEADER: "Bearer canary" }, { HEADER: "Bearer ${env:NOTES_TOKEN}" }],
      [{ THING: "ghp_0123456789abcdefcanary" }, { THING: "${env:NOTES_TOKEN}" }],
      [
        { A_TOKEN: "$FROM_THERE", B: "${env:B}" },
        { A_TOKEN: "${env:FROM_THERE}", B: "${env:B}" }
      ],
      [
        { A_TOKEN: "{{ SLOT }}", B_KEY: "${{ secrets.B }}" },
        { A_TOKEN: "${env:SLOT}", B_KEY: "${env:B}" }
      ],
      [
        { A_TOKEN: "<YOUR_TOKEN>", B: "%APPDATA%\\x" },
        { A_TOKEN: "${env:A_TOKEN}", B: "${env:APPDATA}\\x" }
      ],
      [{ A_KEY: "${input:my-key}" }, { A_KEY: "${env:MY_KEY}" }],
      [
        { HOME_DIR: "${userHome}/x", SEP: "a${/}b" },
        { HOME_DIR: "${env:HOME}/x", SEP: "a/b" }
      ],
      [{ MODE: "${MODE:-read}" }, { MODE: "read" }],
      [{ A_KEY: "${A_KEY:-canary}" }, { A_KEY: "${env:A_KEY}" }],
      [{ DB_PASSWORD: "can$ARY" }, { DB_PASSWORD: "${env:DB_PASSWORD}" }]
    ] as const)("a secret in env is replaced by a reference: %j", ([env, expected]) =>
      Effect.gen(function* () {
        const { everything, server } = yield* importingOne({ command: "a", env })
        assert.deepStrictEqual(server, without({ command: "a", env: expected }))
        assert.notMatch(everything, /canary|can\$ARY|can\/ary/)
      })
    )

    it.effect("values that are no secret stay unchanged", () =>
      Effect.gen(function* () {
        const env = {
          LOG_LEVEL: "info",
          KEYBOARD: "us",
          MAX_TOKENS: "4096",
          TOKEN_URL: "https://i.example/token",
          KEY_FILE: "/etc/key.pem",
          AUTH_TYPE: "oauth",
          USE_TOKEN: "true",
          PRICE: "5$",
          API_KEY: ""
        }
        const { server, variables } = yield* importingOne({ command: "a", env })
        assert.deepStrictEqual(server, without({ command: "a", env }))
        assert.deepStrictEqual(variables, [])
      })
    )

    it.effect.each([
      [
        ["--access-token", "canary", "--name", "x"],
        ["--access-token", "${env:NOTES_ACCESS_TOKEN}", "--name", "x"]
      ],
      [["--api-key=canary"], ["--api-key=${env:NOTES_API_KEY}"]],
      [
        ["run", "-e", "X_KEY=canary", "-e", "LEVEL=2"],
        ["run", "-e", "X_KEY=${env:X_KEY}", "-e", "LEVEL=2"]
      ],
      [["--env=X_KEY=canary"], ["--env=X_KEY=${env:X_KEY}"]],
      [
        ["-H", "X-Api-Key: canary"],
        ["-H", "X-Api-Key: ${env:NOTES_X_API_KEY}"]
      ],
      [
        ["--headers", "X-Api-Key", "canary"],
        ["--headers", "X-Api-Key", "${env:NOTES_X_API_KEY}"]
      ],
      [["https://h/?code=canary-1&mode=read"], ["https://h/?code=${env:NOTES_CODE}&mode=read"]],
      [["git+https://canary@h/x"], ["git+https://${env:NOTES_USER}@h/x"]],
      [['{\\"token\\":\\"canary\\"}'], ['{\\"token\\":\\"${env:NOTES_TOKEN}\\"}']],
      [
        ["-c", "A_TOKEN=canary run --api-key canary -v"],
        ["-c", "A_TOKEN=${env:A_TOKEN} run --api-key ${env:NOTES_API_KEY} -v"]
      ],
      [["Server=x;Password=canary;Port=1"], ["Server=x;Password=${env:NOTES_PASSWORD};Port=1"]]
    ] as const)("a secret in arguments is replaced by a reference: %j", ([args, expected]) =>
      Effect.gen(function* () {
        const { everything, server } = yield* importingOne({ command: "a", args })
        assert.deepStrictEqual(server, without({ command: "a", args: expected }))
        assert.notInclude(everything, "canary")
      })
    )

    it.effect("secrets in a URL become variables, and user name and password become a header", () =>
      Effect.gen(function* () {
        const query = yield* importingOne({ url: "https://h.example/mcp?apiKey=canary&read_only=true" })
        assert.deepStrictEqual(
          query.server,
          without({ url: "https://h.example/mcp?apiKey=${env:NOTES_API_KEY}&read_only=true" })
        )
        const user = yield* importingOne({ url: "https://bob:canary@h.example/mcp" })
        assert.deepStrictEqual(
          user.server,
          without({
            url: "https://h.example/mcp",
            headers: { Authorization: "Basic ${env:NOTES_CREDENTIALS}" }
          })
        )
        assert.notInclude(query.everything + user.everything, "canary")
      })
    )

    it.effect("each secret value gets one variable, whose name no reference in the file uses", () =>
      Effect.gen(function* () {
        const env = (API_TOKEN: string) => ({ command: "a", env: { API_TOKEN } })
        const { document, variables } = yield* importing({
          "a.json": { mcpServers: { one: env("canary-1"), two: env("canary-2"), three: env("canary-1") } },
          "b.json": {
            mcpServers: {
              four: env("${OTHER_TOKEN}"),
              five: { command: "a", env: { OTHER_TOKEN: "canary-5" } }
            }
          }
        })
        assert.deepStrictEqual(
          document.servers.map((server) => Object.values(Object(Reflect.get(server, "config")).env)),
          [
            ["${env:API_TOKEN}"],
            ["${env:TWO_API_TOKEN}"],
            ["${env:API_TOKEN}"],
            ["${env:OTHER_TOKEN}"],
            ["${env:FIVE_OTHER_TOKEN}"]
          ]
        )
        assert.deepStrictEqual(variables, ["API_TOKEN", "TWO_API_TOKEN", "OTHER_TOKEN", "FIVE_OTHER_TOKEN"])
      })
    )

    it.effect("secret files are found relative to the imported file, or become variables", () =>
      Effect.gen(function* () {
        const entry = {
          command: "a",
          env: { A_TOKEN: "{file:./a.txt}", B_TOKEN: "${file:missing/b-token.txt}" }
        }
        const { folder, remarks, server } = yield* importingOne(entry, { "a.txt": "canary" })
        assert.deepStrictEqual(
          server,
          without({
            command: "a",
            env: { A_TOKEN: `\${file:${folder}/a.txt}`, B_TOKEN: "${env:B_TOKEN_TXT}" }
          })
        )
        assert.isTrue(remarks.some((remark) => remark.includes("missing/b-token.txt")))
      })
    )

    it.effect("a long text becomes a variable as a whole, whatever it is made of", () =>
      Effect.gen(function* () {
        const long = ["a", "\\", '"', "${", "?a=b", " -a ", "canary "].map((piece) => piece.repeat(200_000))
        const { everything, server, variables } = yield* importingOne({
          command: "a",
          args: long,
          env: { NOTES: "x".repeat(300_000) }
        })
        assert.deepStrictEqual(
          server,
          without({
            command: "a",
            args: variables.filter((name) => name !== "NOTES").map((name) => `\${env:${name}}`),
            env: { NOTES: "${env:NOTES}" }
          })
        )
        assert.lengthOf(variables, long.length + 1)
        assert.notInclude(everything, "canary")
      })
    )
  })
})
