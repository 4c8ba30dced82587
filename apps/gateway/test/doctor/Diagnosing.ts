import { assert } from "@effect/vitest"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/testing/TestClock"
import { setImmediate } from "node:timers/promises"
import { diagnose } from "../../src/doctor/Diagnosis.ts"
import type { Report } from "../../src/doctor/Report.ts"
import type { StepName } from "../../src/doctor/Step.ts"
import { type Environment, load } from "../config/configFile.ts"

/** What is found about the first server of a configuration; its tokens are stored in a folder of their own. */
export const diagnosed = Effect.fnUntraced(function* (
  document: object,
  {
    env = {},
    meanwhile = Effect.void,
    subject
  }: {
    readonly env?: Environment
    readonly subject?: string
    /** What happens between the reading of the configuration and the diagnosis. */
    readonly meanwhile?: Effect.Effect<void>
  } = {}
) {
  const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
  const config = yield* load({ store: { type: "file", directory }, ...document }, env)
  const [entry] = config.servers
  assert.isDefined(entry)
  yield* meanwhile
  return yield* withoutWaiting(diagnose(config, entry, subject))
})

/** Lets the time of the test pass whenever a request is to be repeated. */
const withoutWaiting = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const waits = yield* Queue.unbounded<void>()
  const logger = Logger.make(({ message }) => {
    if (String(message).includes("Next attempt in")) Queue.offerUnsafe(waits, undefined)
  })
  const fiber = yield* Effect.forkChild(Effect.provide(effect, Logger.layer([logger])))
  const pass = Queue.take(waits).pipe(
    Effect.andThen(Effect.promise(() => setImmediate())),
    Effect.andThen(TestClock.adjust("8 seconds"))
  )
  return yield* Effect.raceFirst(Fiber.join(fiber), Effect.forever(pass))
})

/** The statuses of the steps, by name. */
export const statuses = ({ steps }: Report): Readonly<Record<string, string>> =>
  Object.fromEntries(steps.map(({ name, status }) => [name, status]))

export const stepOf = ({ steps }: Report, name: StepName) => {
  const step = steps.find((one) => one.name === name)
  assert.isDefined(step, `${name} in ${steps.map((one) => one.name).join(", ")}`)
  return step
}

/** The names of the steps that a login fails at. */
export const failures = ({ steps }: Report): ReadonlyArray<string> =>
  steps.filter(({ status }) => status === "failed").map(({ name }) => name)

export const oauthPlace = "/.well-known/oauth-authorization-server"
export const openidPlace = "/.well-known/openid-configuration"
export const resourcePlace = "/.well-known/oauth-protected-resource/mcp"

/** An MCP server that wants a token, and an authorization server where all is well, each on an origin of its own. */
export const startServers = Effect.fnUntraced(function* (
  options: Parameters<typeof StubAuthorizationServer.make>[0] = {}
) {
  const mcp = yield* StubAuthorizationServer.make(options)
  const as = yield* StubAuthorizationServer.make(options)
  const url = mcp.endpoint("/mcp")
  yield* mcp.always(
    "/mcp",
    Answer.json(
      {},
      {
        status: 401,
        headers: {
          "www-authenticate": `Bearer resource_metadata="${mcp.url}${resourcePlace}", scope="mcp:read"`
        }
      }
    )
  )
  const serveResource = (fields: object = {}) =>
    mcp.always(resourcePlace, Answer.json({ resource: url, authorization_servers: [as.url], ...fields }))
  const serveMetadata = (fields: object = {}) =>
    as.always(oauthPlace, Answer.json({ ...metadataOf(as.url), ...fields }))
  yield* serveResource()
  yield* serveMetadata()
  yield* as.always("/token", Answer.json({ error: "invalid_request" }, { status: 405 }))
  const entry = (oauth: object = {}) => ({
    server_name: "remote",
    config: { url },
    oauth: { enabled: true, grant_type: "authorization_code", enforce_https: false, ...oauth }
  })
  return { mcp, as, url, entry, serveResource, serveMetadata }
})

const metadataOf = (issuer: string) => ({
  issuer,
  token_endpoint: `${issuer}/token`,
  authorization_endpoint: `${issuer}/authorize`,
  registration_endpoint: `${issuer}/register`,
  scopes_supported: ["mcp:read", "offline_access"],
  token_endpoint_auth_methods_supported: ["none", "client_secret_basic"],
  code_challenge_methods_supported: ["S256"]
})
