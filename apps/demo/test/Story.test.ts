import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { EchoServer } from "@secure-mcp/echo-server"
import { type Cast, serve, startGateway, startServers } from "../src/Cast.ts"
import { startCompany } from "../src/Company.ts"
import { tellCompanyStory } from "../src/CompanyStory.ts"
import { currentToken, tellRestart, tellStory } from "../src/Story.ts"

const memory = { type: "memory" } as const

/** The story with a cast in which one plays another part: what was told, and how it failed. */
const tellWith = Effect.fnUntraced(
  function* (recast: (cast: Cast) => Effect.Effect<Cast>) {
    const lines: Array<string> = []
    const listening = { ...(yield* Console.Console), log: (line: string) => void lines.push(line) }
    const cast = yield* startGateway(yield* startServers, memory)
    const failure = yield* tellStory(yield* recast(cast)).pipe(
      Effect.provide(cast.services),
      Effect.provideService(Console.Console, listening),
      Effect.flip
    )
    return { failure: String(failure), told: lines.join("\n") }
  },
  Effect.provide([NodeServices.layer, FetchHttpClient.layer, Logger.layer([])])
)

describe("the story of the company fails", () => {
  it.live("the story of the company fails when a token for one server opens another", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const listening = { ...(yield* Console.Console), log: (line: string) => void lines.push(line) }
      const company = yield* startCompany
      const failure = yield* tellCompanyStory({ ...company, mcpUrlOf: () => company.mcpUrlOf("wiki") }).pipe(
        Effect.provideService(Console.Console, listening),
        Effect.flip
      )
      assert.include(String(failure), "a token for one server should not open another")
      assert.include(lines.join("\n"), "Kept apart")
      assert.notInclude(lines.join("\n"), "Another server")
    }).pipe(Effect.provide([NodeServices.layer, FetchHttpClient.layer, Logger.layer([])]))
  )

  it.live("the story of the company fails when strangers are let in", () =>
    Effect.gen(function* () {
      const company = yield* startCompany
      const opened = yield* EchoServer.make()
      const gateway = yield* serve(
        {
          gateway: { port: 0 },
          servers: [{ server_name: "wiki", config: { url: opened.url } }]
        },
        {}
      )
      const failure = yield* tellCompanyStory({
        ...company,
        mcpUrlOf: () => `${gateway.gatewayUrl}/servers/wiki/mcp`
      }).pipe(
        Effect.provideService(Console.Console, { ...(yield* Console.Console), log: () => {} }),
        Effect.flip
      )
      assert.include(String(failure), "a client without a token should be refused")
    }).pipe(Effect.provide([NodeServices.layer, FetchHttpClient.layer, Logger.layer([])]))
  )
})

describe("the story fails", () => {
  it.live("the story fails at the first step when the client is not registered", () =>
    Effect.gen(function* () {
      const { failure, told } = yield* tellWith((cast) => {
        const servers = cast.config.servers.map((entry) => ({
          ...entry,
          oauth: entry.oauth && { ...entry.oauth, clientSecret: Redacted.make("another secret") }
        }))
        return Effect.succeed({ ...cast, config: { ...cast.config, servers } })
      })
      assert.include(failure, "invalid_client")
      assert.strictEqual(told, "")
    })
  )

  it.live("the story fails in the middle when a revoked token is still served", () =>
    Effect.gen(function* () {
      const { failure, told } = yield* tellWith((cast) =>
        Effect.succeed({
          ...cast,
          authorizationServer: { ...cast.authorizationServer, revokeAccessTokens: Effect.void }
        })
      )
      assert.include(failure, "the server should have got another token")
      assert.include(told, "Forced refresh")
      assert.notInclude(told, "Token refused")
    })
  )

  it.live("the story fails at the restart when the store has not outlived the gateway", () =>
    Effect.gen(function* () {
      const servers = yield* startServers
      const first = yield* startGateway(servers, memory)
      const token = yield* Effect.provide(currentToken(first), first.services)
      const second = yield* startGateway(servers, memory)
      const failure = yield* tellRestart(second, { type: "sqlite", url: "nowhere.db" }, token).pipe(
        Effect.provide(second.services),
        Effect.flip
      )
      assert.include(String(failure), "the stored token should outlive the gateway")
    }).pipe(Effect.provide([NodeServices.layer, FetchHttpClient.layer, Logger.layer([])]))
  )
})
