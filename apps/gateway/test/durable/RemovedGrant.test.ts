import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import {
  Answer,
  ProviderBehaviour,
  redisProgram,
  RedisServer,
  requireProgram,
  StubAuthorizationServer
} from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schedule from "effect/Schedule"
import { beforeAll } from "vitest"
import { runGateway, serve, writeConfig } from "../cli/gatewayProcess.ts"
import { post } from "../cli/mcpMessages.ts"
import { grant } from "./PersonGrant.ts"

/** An MCP server, and an authorization server whose tokens are renewed every four seconds. It revokes nothing. */
const startServers = Effect.gen(function* () {
  const stub = yield* StubAuthorizationServer.make()
  let issued = 0
  yield* stub.always(
    "/token",
    Answer.respondWith(() =>
      Effect.sync(() => {
        issued += 1
        return Answer.token({
          access_token: `access-${issued}`,
          refresh_token: `refresh-${issued}`,
          expires_in: 8
        })
      })
    )
  )
  yield* stub.always("/mcp", ProviderBehaviour.protectsResource())
  const refreshes = Effect.map(
    stub.requests,
    (requests) => requests.filter(({ form }) => form.get("grant_type") === "refresh_token").length
  )
  const entry = {
    server_name: "notes",
    config: { url: stub.endpoint("/mcp") },
    oauth: {
      enabled: true,
      version: "2.1",
      grant_type: "authorization_code",
      authorization_url: stub.endpoint("/authorize"),
      token_url: stub.endpoint("/token"),
      client_id: "gateway",
      enforce_https: false
    }
  }
  return { entry, refreshes }
})

/** The person logs in, a gateway uses the grant, and another process removes it. */
const removeWhileServing = Effect.fnUntraced(function* (store: object, ...command: ReadonlyArray<string>) {
  const { entry, refreshes } = yield* startServers
  const document = { store, servers: [entry] }
  yield* grant(document, "code")
  const gateway = yield* serve(document)
  const status = Effect.map(post(gateway.url, "notes"), (answer) => answer.status)
  assert.strictEqual(yield* status, 200)

  const config = yield* writeConfig(document)
  const removal = yield* runGateway([...command, "--config", config])
  assert.strictEqual(removal.exitCode, 0, removal.stderr)
  const before = yield* refreshes

  // The token is renewed after four seconds: asked all the while, the gateway must not do so.
  const answers: Array<number> = []
  yield* Effect.tap(status, (one) => Effect.sync(() => answers.push(one))).pipe(
    Effect.repeat({ schedule: Schedule.spaced("250 millis"), times: 24 })
  )
  const { status: last, text } = yield* post(gateway.url, "notes")
  assert.strictEqual(last, 502, answers.join(" "))
  assert.strictEqual(JSON.parse(text).error.data.reason, "AuthorizationRequired")
  assert.strictEqual(yield* refreshes, before, "a refresh token was used after its removal")
  const { stdout } = yield* runGateway(["tokens", "list", "--json", "--config", config])
  assert.strictEqual(stdout, "[]\n")

  yield* grant(document, "again")
  assert.strictEqual(yield* status, 200)
  return removal.stdout
})

describe("a grant that another process removes while a gateway uses it", () => {
  let program: string | undefined
  beforeAll(() => {
    program = requireProgram(redisProgram)
  })

  const commands = [
    ["logout", "notes"],
    ["tokens", "forget", "notes"]
  ] as const

  const assertSaid = (command: string, said: string) => {
    if (command !== "logout") return assert.include(said, "Forgot 1 token of notes")
    assert.include(said, "Logged out of notes")
    assert.match(said, /has no revocation endpoint\. The access token .* until it expires/)
  }

  for (const [command, ...args] of commands) {
    it.live(
      `${command === "tokens" ? "tokens forget" : command} ends a grant, with files, until the next login`,
      () =>
        Effect.gen(function* () {
          const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
          const store = { type: "file", directory: `${directory}/tokens` }
          assertSaid(command, yield* removeWhileServing(store, command, ...args))
        }).pipe(Effect.provide(NodeServices.layer))
    )

    it.live(
      `${command === "tokens" ? "tokens forget" : command} ends a grant, with Redis, until the next login`,
      ({ skip }) =>
        Effect.gen(function* () {
          const redis = yield* RedisServer.make(program ?? skip("no redis-server"))
          const store = {
            type: "redis",
            url: redis.url,
            encryption_key: "a-good-key-of-32-characters-or-more"
          }
          assertSaid(command, yield* removeWhileServing(store, command, ...args))
        }).pipe(Effect.provide(NodeServices.layer))
    )
  }
})
