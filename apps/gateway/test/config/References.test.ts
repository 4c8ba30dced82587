import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import {
  entryWith,
  load,
  loadFile,
  problemsOf,
  TestLayer,
  writeFile,
  type Environment
} from "./configFile.ts"

/** The client secret after resolution. */
const secretFrom = (text: string, env: Environment = {}) =>
  load({ servers: [entryWith({ client_secret: text })] }, env).pipe(
    Effect.map(({ servers }) => Redacted.value(servers[0]?.oauth?.clientSecret ?? Redacted.make("")))
  )

const problemsWith = (text: string, env: Environment = {}) =>
  problemsOf({ servers: [entryWith({ client_secret: text })] }, env)

describe("references", () => {
  layer(TestLayer)((it) => {
    it.effect("references are replaced by environment variables, byte for byte", () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* secretFrom("${env:A_SECRET}", { A: "no", A_SECRET: " s p\n" }), " s p\n")
      })
    )

    it.effect("references to files that are read for each request stay, and the files must exist", () =>
      Effect.gen(function* () {
        const workload = (path: string) => ({
          servers: [
            entryWith({ grant_type: "jwt_bearer", client_secret: undefined, assertion: `\${file:${path}}` })
          ]
        })
        const path = yield* writeFile("assertion.jwt", "the-first-assertion")
        const { servers } = yield* load(workload(path))
        const assertion = servers[0]?.oauth?.assertion
        assert.strictEqual(assertion && Redacted.value(assertion), `\${file:${path}}`)
        assert.deepStrictEqual(yield* problemsOf(workload(`${path}.missing`)), [
          `servers[0].oauth.assertion: the file ${path}.missing cannot be read (NotFound)`
        ])
      })
    )

    it.effect("references in a variable or header named `assertion` or `subject_token` are replaced", () =>
      Effect.gen(function* () {
        const path = yield* writeFile("secret", "text-of-the-file")
        const reference = `\${file:${path}}`
        const named = { assertion: reference, subject_token: reference, oauth: reference }
        const { servers } = yield* load({
          servers: [
            entryWith({}, { headers: named }),
            { server_name: "child", config: { command: "node", env: named } },
            {
              server_name: "nested",
              config: { command: "node", env: { "oauth.assertion": reference } }
            }
          ]
        })
        const values = servers.flatMap((entry) =>
          Object.values(entry._tag === "Http" ? entry.headers : entry.env).map(Redacted.value)
        )
        assert.deepStrictEqual(new Set(values), new Set(["text-of-the-file"]))
        assert.lengthOf(values, 7)
      })
    )

    it.effect("a reference in the subject token stays, because its file is read for each request", () =>
      Effect.gen(function* () {
        const reference = `\${file:${yield* writeFile("subject.jwt", "a-token")}}`
        const { servers } = yield* load({
          servers: [
            entryWith({
              grant_type: "jwt_bearer",
              issuer: "https://auth.example.com",
              client_secret: undefined,
              identity_provider: {
                token_url: "https://idp.example.com/token",
                client_id: "client",
                subject_token: reference,
                subject_token_type: "urn:ietf:params:oauth:token-type:id_token"
              }
            })
          ]
        })
        const token = servers[0]?.oauth?.identityProvider?.subjectToken
        assert.strictEqual(token && Redacted.value(token), reference)
      })
    )

    it.effect("references in a replacement are not replaced", () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* secretFrom("${env:A}", { A: "${env:B}$&", B: "no" }), "${env:B}$&")
      })
    )

    it.effect("one string can contain several references, anywhere in the file", () =>
      Effect.gen(function* () {
        const config = yield* load(
          {
            project_id: "${env:PROJECT}",
            gateway: { host: "${env:HOST}", api_keys: ["${env:KEY}${env:KEY}"] },
            servers: [
              { server_name: "${env:NAME}", config: { command: "node", args: ["--x=${env:A}-${env:B}."] } }
            ]
          },
          { PROJECT: "p", HOST: "localhost", KEY: "12345678", NAME: "n", A: "a", B: "b" }
        )
        assert.strictEqual(config.projectId, "p")
        assert.strictEqual(config.gateway.host, "localhost")
        assert.lengthOf(config.gateway.apiKeys, 1, "two halves of eight characters make a key")
        assert.deepInclude(config.servers[0], { serverName: "n", args: ["--x=a-b."] })
      })
    )

    it.effect.each([
      ["secret", "secret"],
      ["secret\n", "secret"],
      ["secret\r\n", "secret"],
      ["secret\n\n", "secret\n"],
      [" two\nlines \n", " two\nlines "]
    ] as const)("a file reference loses one trailing newline of the file: %j", ([content, expected]) =>
      Effect.gen(function* () {
        const path = yield* writeFile("secret", content)
        assert.strictEqual(yield* secretFrom(`\${file:${path}}`), expected)
      })
    )

    it.effect.each([{}, { CLIENT_SECRET: "" }])(
      "a reference to a missing or empty variable is a problem: %j",
      (env) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* problemsWith("${env:CLIENT_SECRET}", env), [
            "servers[0].oauth.client_secret: the environment variable CLIENT_SECRET is not set or empty: export it, or write the value here"
          ])
        })
    )

    it.effect("a reference to a missing or empty file is a problem", () =>
      Effect.gen(function* () {
        const empty = yield* writeFile("empty", "\n")
        const [missing] = yield* problemsWith("${file:/nonexistent/secret}")
        assert.strictEqual(
          missing,
          "servers[0].oauth.client_secret: the file /nonexistent/secret cannot be read (NotFound)"
        )
        assert.deepStrictEqual(yield* problemsWith(`\${file:${empty}}`), [
          `servers[0].oauth.client_secret: the file ${empty} is empty`
        ])
      })
    )

    it.effect("a reference that fails is one problem, not two", () =>
      Effect.gen(function* () {
        const document = {
          gateway: { api_keys: ["${env:KEY}"] },
          servers: [
            entryWith({ token_url: "${env:TOKEN_URL}" }),
            {
              ...entryWith({
                use_mtls: true,
                client_cert_path: "${env:CERT}",
                client_key_path: "${env:KEY}"
              }),
              server_name: "by-certificate"
            }
          ]
        }
        const problems = yield* problemsOf(document)
        assert.deepStrictEqual(
          problems.map((problem) => problem.slice(0, problem.indexOf(" is not set"))),
          [
            "gateway.api_keys[0]: the environment variable KEY",
            "servers[0].oauth.token_url: the environment variable TOKEN_URL",
            "servers[1].oauth.client_cert_path: the environment variable CERT",
            "servers[1].oauth.client_key_path: the environment variable KEY"
          ]
        )
      })
    )

    it.effect.each([
      ["${ENV:CLIENT_SECRET}", "unknown reference ${ENV:…}: did you mean ${env:…}?"],
      ["${evn:CLIENT_SECRET}", "unknown reference ${evn:…}: did you mean ${env:…}?"],
      ["${CLIENT_SECRET}", "write ${env:CLIENT_SECRET}"],
      ["{{ CLIENT_SECRET }}", "write ${env:CLIENT_SECRET}"],
      ["${{ secrets.CLIENT_SECRET }}", "write ${env:CLIENT_SECRET}"],
      ["{env:CLIENT_SECRET}", "write ${env:CLIENT_SECRET}"],
      ["$env:CLIENT_SECRET", "write ${env:CLIENT_SECRET}"],
      ["$CLIENT_SECRET", "write ${env:NAME}"],
      ["%CLIENT_SECRET%", "write ${env:NAME}"],
      ["prefix-${CLIENT_SECRET}", "write ${env:CLIENT_SECRET}"],
      ["${CLIENT_SECRET:-s3cret}", "no default"],
      ["${vault:s3cret/path}", "write ${env:NAME} or ${file:/path}"],
      ["${input:s3cret}", "write ${env:NAME} or ${file:/path}"]
    ] as const)("a reference in another program's form is a problem in a secret: %s", ([text, suggestion]) =>
      Effect.gen(function* () {
        const problems = yield* problemsWith(text, { CLIENT_SECRET: "s3cret" })
        assert.lengthOf(problems, 1)
        assert.include(problems.join(), "servers[0].oauth.client_secret: ")
        assert.include(problems.join(), suggestion)
        assert.notInclude(problems.join(), "s3cret")
      })
    )

    it.effect("a problem about another program's reference does not show a possible password", () =>
      Effect.gen(function* () {
        assert.notInclude((yield* problemsWith("$ecretPassword")).join(), "ecretPassword")
      })
    )

    it.effect.each([
      "pa$$word",
      "word$HOME",
      "$1abc",
      "100%",
      "%20%41",
      "a{b}c",
      "{{",
      "$",
      "$2b$10$abc",
      "a$b}"
    ])("a possible password does not count as another program's reference: %s", (text) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* secretFrom(text), text)
      })
    )

    it.effect("a foreign reference is a problem in headers, URLs, variables and arguments", () =>
      Effect.gen(function* () {
        const problems = yield* problemsOf({
          gateway: { api_keys: ["{{GATEWAY_KEY_OF_MINE}}"] },
          servers: [
            {
              server_name: "remote",
              config: {
                url: "https://${HOST}/mcp",
                headers: { Authorization: "Bearer ${TOKEN}", "X-Key": "$KEY" }
              }
            },
            {
              server_name: "local",
              config: { command: "a", args: ["--key=${KEY}", "$KEY"], env: { KEY: "${KEY}" } }
            }
          ]
        })
        assert.deepStrictEqual(problems.map((problem) => problem.slice(0, problem.indexOf(": "))).sort(), [
          "gateway.api_keys[0]",
          "servers[0].config.headers.Authorization",
          "servers[0].config.headers.X-Key",
          "servers[0].config.url",
          "servers[1].config.args[0]",
          "servers[1].config.args[1]",
          "servers[1].config.env.KEY"
        ])
      })
    )

    it.effect("a reference of the child's own shell is passed on inside other text", () =>
      Effect.gen(function* () {
        const config = {
          command: "sh",
          args: ["-c", "echo $HOME ${X} {{y}}"],
          env: { FORMAT: "${time} ${level}" }
        }
        const { servers } = yield* load({ servers: [{ server_name: "local", config }] })
        assert.deepInclude(servers[0], { args: config.args })
      })
    )

    it.effect("a relative path in a file reference starts at the folder of the configuration file", () =>
      Effect.gen(function* () {
        const path = yield* writeFile("secret", "from-the-file")
        const config = path.replace(/secret$/, "gateway.json")
        const files = yield* FileSystem.FileSystem
        const write = (oauth: object) =>
          files.writeFileString(config, JSON.stringify({ servers: [entryWith(oauth)] }))
        yield* write({ client_secret: "${file:secret}" })
        const { servers } = yield* loadFile(config)
        const secret = servers[0]?.oauth?.clientSecret
        assert.strictEqual(secret && Redacted.value(secret), "from-the-file")
        yield* write({ grant_type: "jwt_bearer", client_secret: undefined, assertion: "${file:./secret}" })
        const again = yield* loadFile(config)
        const assertion = again.servers[0]?.oauth?.assertion
        assert.strictEqual(assertion && Redacted.value(assertion), `\${file:${path}}`)
      })
    )

    it.effect.each([{ enabled: false }, {}])("a disabled `oauth` keeps its references: %j", (oauth) =>
      Effect.gen(function* () {
        const { servers } = yield* load({
          servers: [
            {
              server_name: "remote",
              config: { url: "https://api.example.com/mcp" },
              oauth: { ...oauth, client_secret: "${env:UNSET}", client_cert_path: "${file:/nonexistent}" }
            }
          ]
        })
        assert.strictEqual(servers[0]?.oauth, undefined)
      })
    )
  })
})
