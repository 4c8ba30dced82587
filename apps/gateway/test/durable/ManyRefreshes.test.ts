import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { AuthorizationServer } from "@secure-mcp/authorization-server"
import { OAuthService } from "@secure-mcp/oauth-core"
import { redisProgram, RedisServer, requireProgram } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { beforeAll } from "vitest"
import { baseEnvironment, writeConfig } from "../cli/gatewayProcess.ts"
import { consent } from "../login/Person.ts"
import { asProcess } from "./AsProcess.ts"

const resource = "https://mcp.example.com/mcp"
const redirectUri = "http://127.0.0.1/oauth/callback"

/** A certified provider that replaces a refresh token with each use, and ends the grant when one is used twice. */
const startProvider = AuthorizationServer.make({
  clients: [
    {
      client_id: "gateway",
      application_type: "native",
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: [redirectUri]
    }
  ],
  resources: [{ identifier: resource, scopes: ["mcp:read"], accessTokenFormat: "opaque" }]
})

const logIn = (document: object) =>
  asProcess(document, (request) =>
    Effect.gen(function* () {
      const oauth = yield* OAuthService
      const { authorizationUrl } = yield* oauth.authorize(request, { redirectUri })
      const callback = yield* consent(authorizationUrl, "alice")
      yield* oauth.completeAuthorization(new URL(callback).searchParams)
    })
  )

/** A process that demands new tokens until it is told to stop; gives how many it was given. */
const startDemanding = Effect.fnUntraced(function* (config: string) {
  const script = fileURLToPath(new URL("fixtures/forcedRefreshes.ts", import.meta.url))
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, ["--conditions=@secure-mcp/source", script, config], { env: baseEnvironment })
    ),
    (child) => Effect.sync(() => void child.kill("SIGKILL"))
  )
  let [said, problems] = ["", ""]
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (problems += text))
  const closed = once(child, "close")
  const end = Effect.promise(async () => {
    child.stdin.end()
    await closed
    return { exitCode: child.exitCode, given: Number(said), problems }
  })
  return { end, hasEnded: Effect.sync(() => child.exitCode !== null) }
})

describe("two gateways on one Redis", () => {
  let program: string | undefined
  beforeAll(() => {
    program = requireProgram(redisProgram)
  })

  it.live(
    "two gateways on one Redis renew a grant a thousand times without using a refresh token twice",
    ({ skip }) =>
      Effect.gen(function* () {
        const redis = yield* RedisServer.make(program ?? skip("no redis-server"))
        const provider = yield* startProvider
        const document = {
          store: { type: "redis", url: redis.url, encryption_key: "a-good-key-of-32-characters-or-more" },
          servers: [
            {
              server_name: "notes",
              config: { url: "http://127.0.0.1/mcp" },
              oauth: {
                enabled: true,
                version: "2.1",
                grant_type: "authorization_code",
                issuer: provider.issuer,
                client_id: "gateway",
                scope: "mcp:read",
                resource,
                enforce_https: false
              }
            }
          ]
        }
        yield* logIn(document)
        const refreshes = Effect.map(provider.tokenRequests, (requests) =>
          requests.filter(({ form }) => form["grant_type"] === "refresh_token")
        )
        const config = yield* writeConfig(document)
        const gateways = yield* Effect.all([startDemanding(config), startDemanding(config)])

        const isEnough = Effect.gen(function* () {
          const ended = yield* Effect.forEach(gateways, ({ hasEnded }) => hasEnded)
          return ended.includes(true) || (yield* refreshes).length >= 1000
        })
        yield* Effect.repeat(isEnough, {
          schedule: Schedule.spaced("50 millis"),
          until: (enough) => enough
        })
        const ends = yield* Effect.forEach(gateways, ({ end }) => end, { concurrency: "unbounded" })

        for (const { exitCode, given, problems } of ends) {
          assert.strictEqual(exitCode, 0, problems)
          assert.isAbove(given, 100)
        }
        const sent = yield* refreshes
        assert.isAtLeast(sent.length, 1000)
        assert.deepStrictEqual([...new Set(sent.map(({ status }) => status))], [200])
        assert.strictEqual(new Set(sent.map(({ form }) => form["refresh_token"])).size, sent.length)
        // A refresh token that was used twice would have ended the grant.
        yield* asProcess(document, (request) =>
          Effect.flatMap(OAuthService, (oauth) => oauth.refresh(request))
        )
      }).pipe(Effect.provide(NodeServices.layer))
  )
})
