import { assert, describe, layer } from "@effect/vitest"
import { assertNoCanary, canary, Certificates } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { entryWith, load, problemsOf, TestLayer, writeFile } from "./configFile.ts"

const secret = canary("secret")

describe("the problems of a file", () => {
  layer(TestLayer)((it) => {
    it.effect("unknown keys are problems at every level, with a suggestion", () =>
      Effect.gen(function* () {
        const problems = yield* problemsOf({
          projectId: "p",
          gateway: { hots: "::1", apiKeys: [], nothing_like_it: 1, limits: { session: 1 } },
          servers: [
            {
              server_nam: "remote",
              config: { url: "https://api.example.com/mcp", header: {} },
              oauth: { ...entryWith().oauth, token_uri: "x" }
            },
            { ...entryWith(), server_name: "off", oauth: { enabeld: true } }
          ]
        })
        assert.sameMembers(problems, [
          "projectId: unknown key: did you mean `project_id`?",
          "gateway.hots: unknown key: did you mean `host`?",
          "gateway.apiKeys: unknown key: did you mean `api_keys`?",
          "gateway.nothing_like_it: unknown key",
          "gateway.limits.session: unknown key: did you mean `sessions`?",
          "servers[0].server_nam: unknown key: did you mean `server_name`?",
          "servers[0].server_name: required",
          "servers[0].config.header: unknown key: did you mean `headers`?",
          "servers[0].oauth.token_uri: unknown key: did you mean `token_url`?",
          "servers[1].oauth.enabeld: unknown key: did you mean `enabled`?"
        ])
      })
    )

    it.effect("all problems of a file are reported at once", () =>
      Effect.gen(function* () {
        const problems = yield* problemsOf({
          project_id: 1,
          gateway: { port: "8787", auth_timeout_seconds: 0 },
          servers: [
            entryWith({ token_url: "http://auth.example.com", scope: "a  b", client_secret: "${env:UNSET}" }),
            entryWith({}, { headers: { authorization: "Bearer x" } }),
            { server_name: "child", config: { command: "node", headers: {} } },
            7
          ]
        })
        assert.sameMembers(
          problems.map((problem) => problem.slice(0, problem.indexOf(":"))),
          [
            "project_id",
            "gateway.port",
            "gateway.auth_timeout_seconds",
            "servers[0].oauth.client_secret",
            "servers[0].oauth.token_url",
            "servers[0].oauth.scope",
            "servers[1].server_name",
            "servers[1].config.headers.authorization",
            "servers[2].config.headers",
            "servers[3]"
          ]
        )
      })
    )

    it.effect("unusable certificates are reported together with all other problems", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const directory = yield* files.makeTempDirectoryScoped()
        const authority = yield* Certificates.makeAuthority("Test CA")
        const client = yield* (yield* authority.issueClient("client")).writeTo(directory, "client")
        const other = yield* (yield* authority.issueClient("other")).writeTo(directory, "other")
        const pair = { use_mtls: true, client_cert_path: client.certificatePath }
        const problems = yield* problemsOf({
          gateway: { port: -1 },
          servers: [
            entryWith({ ...pair, client_key_path: other.privateKeyPath }),
            { ...entryWith({ ca_bundle_path: "/nonexistent/ca.pem", scope: "a  b" }), server_name: "ca" },
            { ...entryWith({ ...pair, client_key_path: client.privateKeyPath }), server_name: "good" },
            { ...entryWith({ ...pair, client_key_path: "/nonexistent/key.pem" }), server_name: "remote" },
            {
              ...entryWith({ enabled: false, ca_bundle_path: "/nonexistent/ca.pem" }),
              server_name: "off"
            }
          ]
        })
        const start = (problem: string) => problem.split(" ", 3).join(" ")
        assert.sameMembers(problems.map(start), [
          "gateway.port: must be",
          "servers[0].oauth.client_key_path: holds another",
          "servers[1].oauth.scope: must be",
          "servers[1].oauth.ca_bundle_path: names a",
          "servers[3].server_name: must be",
          "servers[3].oauth.client_key_path: names a"
        ])
      })
    )

    it.effect("expired certificates and files that cannot be decrypted are problems", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const directory = yield* files.makeTempDirectoryScoped()
        const authority = yield* Certificates.makeAuthority("Test CA")
        const early = yield* (yield* authority.issueClient("early", Certificates.notYetValid)).writeTo(
          directory,
          "early"
        )
        const locked = yield* (yield* authority.issueClient("locked", { passphrase: secret })).writeTo(
          directory,
          "locked"
        )
        const keysOf = ({ certificatePath, privateKeyPath }: typeof early) => ({
          use_mtls: true,
          client_cert_path: certificatePath,
          client_key_path: privateKeyPath
        })
        const problems = yield* problemsOf({
          servers: [
            { ...entryWith(keysOf(early)), server_name: "early" },
            { ...entryWith({ ...keysOf(locked), client_key_passphrase: secret }), server_name: "opened" },
            { ...entryWith(keysOf(locked)), server_name: "locked" },
            { ...entryWith({ ...keysOf(locked), client_key_passphrase: "wrong" }), server_name: "wrong" },
            {
              ...entryWith({
                use_mtls: true,
                client_pkcs12_path: locked.certificatePath,
                client_key_passphrase: secret
              }),
              server_name: "no-pkcs12"
            }
          ]
        })
        const start = (problem: string) => problem.split(" ", 4).join(" ")
        assert.sameMembers(problems.map(start), [
          "servers[0].oauth.client_cert_path: holds a certificate",
          "servers[2].oauth.client_key_passphrase: is required: the",
          "servers[3].oauth.client_key_passphrase: does not open",
          "servers[4].oauth.client_pkcs12_path: names no PKCS#12"
        ])
        assertNoCanary(problems, secret)
      })
    )

    it.effect("bad authorities and a bad certificate of one entry are both reported", () =>
      Effect.gen(function* () {
        const problems = yield* problemsOf({
          servers: [
            entryWith({
              use_mtls: true,
              client_cert_path: "/nonexistent/cert.pem",
              client_key_path: "/nonexistent/key.pem",
              ca_bundle_path: "/nonexistent/ca.pem"
            })
          ]
        })
        const paths = problems.map((problem) => problem.slice(0, problem.indexOf(":")))
        assert.includeMembers(paths, ["servers[0].oauth.client_cert_path", "servers[0].oauth.ca_bundle_path"])
      })
    )

    it.effect.each([
      ["an unquoted value", `{\n  "a": 1,\n  "client_secret": ${secret}\n}`, "line 3, column 20"],
      ["a comma too many", `{\n  "client_secret": "${secret}",\n}`, "line 3, column 1"],
      ["a comma too few", `{"a": "${secret}"\n "b": 1}`, "line 2, column 2"],
      ["a value that is missing", `{"a": "${secret}", "b": }`, `column ${secret.length + 16}`],
      ["a string that does not end", `{\n"a": "${secret}\n}`, `line 2, column ${secret.length + 7}`],
      ["a comment", `{ // ${secret}\n}`, "line 1, column 3"],
      ["something after the end", `{}\n${secret}`, "line 2, column 1"],
      ["an early end", `{"a": "${secret}",\n`, "line 2, column 1"],
      ["nothing at all", "", "line 1, column 1"]
    ] as const)("the place of a JSON syntax error is reported, never the text: %s", ([, text, place]) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(load(text))
        assert.include(error.message, "is not JSON")
        assert.include(error.message, place)
        assertNoCanary(error, secret)
        assertNoCanary(error.message, secret)
      })
    )

    it.effect.each([
      ["where an object belongs", secret],
      ["as a project", { project_id: [secret], servers: [entryWith()] }],
      ["as the gateway", { gateway: secret, servers: [entryWith()] }],
      [
        "as settings of the gateway",
        {
          gateway: {
            host: [secret],
            port: secret,
            auth_timeout_seconds: secret,
            api_keys: secret,
            allowed_hosts: { a: secret }
          },
          servers: [entryWith()]
        }
      ],
      ["as the servers", { servers: secret }],
      ["as a server", { servers: [secret] }],
      ["as a name", { servers: [{ ...entryWith(), server_name: `${secret}/` }] }],
      ["as an entry's parts", { servers: [{ server_name: "a", config: secret, oauth: secret }] }],
      [
        "as the way to an HTTP server",
        {
          servers: [
            entryWith({}, { url: `ftp://${secret}`, transport: secret, headers: secret, cwd: secret })
          ]
        }
      ],
      [
        "as the way to a child",
        {
          servers: [
            {
              server_name: "a",
              config: { command: "", args: secret, env: { [`A=`]: secret }, cwd: [secret] }
            }
          ]
        }
      ],
      ["as headers", { servers: [entryWith({}, { headers: { authorization: secret, x: `${secret}\n` } })] }],
      [
        "as texts and switches of `oauth`",
        {
          servers: [
            entryWith({
              version: secret,
              token_url: secret,
              authorization_url: `http://${secret}`,
              redirect_uri: secret,
              revocation_url: `https://user:${secret}@auth.example.com`,
              resource: secret,
              scope: `${secret}  x`,
              use_pkce: secret,
              code_verifier: secret,
              code_challenge: secret,
              code_challenge_method: secret,
              token_expiry_buffer: secret,
              default_expires_in: secret,
              use_basic_auth: secret,
              enforce_https: secret,
              token_in_header_only: secret,
              token_env: `${secret} `,
              use_mtls: secret,
              validate_scopes: secret
            })
          ]
        }
      ],
      [
        "as parameters and headers of the token request",
        {
          servers: [
            entryWith({
              additional_params: { client_secret: secret, nested: { a: secret } },
              custom_headers: { Authorization: secret, "X-Key": `${secret}\r\n` }
            })
          ]
        }
      ],
      [
        "in a reference that is misspelt",
        { servers: [entryWith({ client_secret: "${evn:" + secret + "}" })] }
      ]
    ] as const)("no problem quotes a value: a secret %s", ([, document]) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(load(document))
        assert.isNotEmpty(error.problems)
        assertNoCanary(error, secret)
        assertNoCanary(error.message, secret)
      })
    )

    it.effect("no problem quotes the content of a certificate's file", () =>
      Effect.gen(function* () {
        const path = yield* writeFile("key.pem", `-----BEGIN PRIVATE KEY-----\n${secret}\n`)
        const error = yield* Effect.flip(
          load({ servers: [entryWith({ use_mtls: true, client_cert_path: path, client_key_path: path })] })
        )
        assert.isNotEmpty(error.problems)
        assertNoCanary(error, secret)
      })
    )
  })
})
