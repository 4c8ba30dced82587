import { assert, describe, layer } from "@effect/vitest"
import { Answer, assertNoCanary, canary, StubAuthorizationServer } from "@secure-mcp/testing"
import { OAuthToken } from "@secure-mcp/oauth-core"
import { FileTokenStore, TokenStore } from "@secure-mcp/token-cache"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { TestLayer } from "../config/configFile.ts"
import { entry, runGateway, secretEnvironment, writeConfig } from "./gatewayProcess.ts"

const accessToken = canary("access-token")

/** A configuration whose tokens are kept in files, and the command on it. */
const stage = Effect.gen(function* () {
  const server = yield* StubAuthorizationServer.make()
  yield* server.always(
    "/token",
    Answer.token({ access_token: accessToken, scope: "mcp:read", expires_in: 600 })
  )
  const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
  const documentOf = (...names: ReadonlyArray<string>) => ({
    store: { type: "file", directory: `${directory}/tokens` },
    servers: names.map((name) => entry(name, "http://127.0.0.1:1/mcp", server.endpoint("/token")))
  })
  const run = (document: object, ...args: ReadonlyArray<string>) =>
    Effect.flatMap(writeConfig(document), (config) =>
      runGateway([...args, "--config", config], secretEnvironment)
    )
  return { server, documentOf, run }
})

describe("tokens", () => {
  layer(TestLayer)((it) => {
    it.effect("lists stored tokens, also of a server that is not configured any more, and forgets them", () =>
      Effect.gen(function* () {
        const { documentOf, run, server } = yield* stage
        const document = documentOf("b", "a", "gone")
        for (const name of ["b", "a", "gone"]) yield* run(document, "token", name)
        const now = documentOf("b", "a")

        const listed = yield* run(now, "tokens", "list", "--json")
        const tokens: ReadonlyArray<Record<string, unknown>> = JSON.parse(listed.stdout)
        assert.deepStrictEqual(
          tokens.map(({ server_name }) => server_name),
          ["a", "b", "gone"]
        )
        assert.deepInclude(tokens[0], { subject: null, scope: "mcp:read", renewable: false })
        assert.match(String(tokens[0]?.["expires_at"]), /^\d{4}-\d\d-\d\dT/)
        const plain = yield* run(now, "tokens", "list")
        assert.match(plain.stdout, /^a\n {2}subject {7}-\n {2}scope {9}mcp:read\n/)
        assertNoCanary([listed, plain], accessToken)

        assert.strictEqual((yield* run(now, "tokens", "forget", "gone")).stdout, "Forgot 1 token of gone\n")
        assert.strictEqual((yield* run(now, "tokens", "forget", "a")).stdout, "Forgot 1 token of a\n")
        assert.strictEqual((yield* run(now, "tokens", "forget", "a")).stdout, "Forgot 0 tokens of a\n")
        const left = JSON.parse((yield* run(now, "tokens", "list", "--json")).stdout)
        assert.lengthOf(left, 1)
        yield* run(now, "token", "b")
        assert.lengthOf(yield* server.requests, 3)
      })
    )

    it.effect("forgets the grants of one person and leaves those of another", () =>
      Effect.gen(function* () {
        const { documentOf, run } = yield* stage
        const document = documentOf("a")
        const store = yield* Layer.build(FileTokenStore.layer(document.store))
        yield* Effect.forEach(["alice", "bob"], (subject) =>
          Context.get(store, TokenStore).set(
            {
              projectId: "default",
              configId: "default",
              serverName: "a",
              subject,
              personal: true,
              fingerprint: subject
            },
            new OAuthToken({
              accessToken: Redacted.make(subject),
              tokenType: "Bearer",
              issuedAt: 0,
              reusable: true
            }),
            Duration.infinity
          )
        )
        const forgotten = yield* run(document, "tokens", "forget", "a", "--subject", "alice")
        assert.strictEqual(forgotten.stdout, "Forgot 1 token of a\n")
        const left = JSON.parse((yield* run(document, "tokens", "list", "--json")).stdout)
        assert.deepStrictEqual(
          left.map(({ subject }: { readonly subject: string }) => subject),
          ["bob"]
        )
      })
    )

    it.effect("does not report a name without stored tokens as forgotten", () =>
      Effect.gen(function* () {
        const { documentOf, run } = yield* stage
        const { exitCode, stderr, stdout } = yield* run(documentOf("a"), "tokens", "forget", "aa")
        assert.deepStrictEqual([exitCode, stdout], [1, ""])
        assert.include(stderr, 'No token is kept for "aa", and no server of that name is configured')
      })
    )

    it.effect("says why there is nothing to list", () =>
      Effect.gen(function* () {
        const { documentOf, run } = yield* stage
        const empty = yield* run(documentOf("a"), "tokens", "list")
        assert.deepStrictEqual([empty.exitCode, empty.stdout], [0, ""])
        assert.include(empty.stderr, "No token is kept")
        const memory = { ...documentOf("a"), store: { type: "memory" } }
        const { stderr, stdout } = yield* run(memory, "tokens", "list", "--json")
        assert.strictEqual(stdout, "[]\n")
        assert.include(stderr, "Tokens are kept in the memory of a running gateway only")
      })
    )

    it.effect("says what is wrong with the store, and forgets nothing", () =>
      Effect.gen(function* () {
        const { documentOf, run } = yield* stage
        const document = documentOf("a")
        yield* run(document, "token", "a")
        const other = {
          ...document,
          store: { ...document.store, encryption_key: `another-${"0123456789".repeat(3)}` }
        }
        for (const command of [["list"], ["forget", "a"]]) {
          const { exitCode, stderr } = yield* run(other, "tokens", ...command)
          assert.strictEqual(exitCode, 1)
          assert.include(stderr, "it was encrypted with another key")
        }
        assert.lengthOf(JSON.parse((yield* run(document, "tokens", "list", "--json")).stdout), 1)
      })
    )
  })
})
