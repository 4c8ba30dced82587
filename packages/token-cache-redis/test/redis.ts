import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redis from "effect/persistence/Redis"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { OAuthToken, type TokenKey } from "@secure-mcp/oauth-core"
import { redisProgram, RedisServer, type RedisServerOptions, requireProgram } from "@secure-mcp/testing"
import { tokenOfEntry, TokenStore, type StoreEntry } from "@secure-mcp/token-cache"
import { RedisConnection, RedisTokenStore } from "@secure-mcp/token-cache-redis"
import { afterAll, beforeAll } from "vitest"

/** What a hook or a test can be skipped with. */
interface Skippable {
  readonly skip: (note: string) => never
}

/**
 * A Redis for the tests of a file: that of `REDIS_URL`, else one of this machine. Where there is none, each test that
 * asks for it is skipped.
 */
export const useRedis = () => {
  const found: { url: string | undefined } = { url: process.env["REDIS_URL"] }
  const scope = Scope.makeUnsafe()
  beforeAll(async () => {
    const program = found.url === undefined ? requireProgram(redisProgram) : undefined
    if (program === undefined) return
    found.url = (await Effect.runPromise(Scope.provide(RedisServer.make(program), scope))).url
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return { urlOr: ({ skip }: Skippable): string => found.url ?? skip("no redis-server") }
}

/** The program, for tests that stop their Redis, or start it in their own way. */
export const useRedisProgram = () => {
  const found: { program: string | undefined } = { program: undefined }
  beforeAll(() => {
    found.program = requireProgram(redisProgram)
  })
  return {
    start: (context: Skippable, options?: RedisServerOptions) =>
      RedisServer.make(found.program ?? context.skip("no redis-server"), options)
  }
}

/** 64 characters that nobody guesses. */
export const secretOf = (seed: string) => Redacted.make(`${seed}-0123456789abcdefghijklmnopqrstuvwxyz`)

export interface StoreOptions {
  readonly url: string
  readonly keyPrefix?: string
  readonly secret?: string
  readonly previous?: ReadonlyArray<string>
}

/** A store, with a connection of its own, as a process of its own would have it. */
export const layerStore = ({ keyPrefix, previous = [], secret = "one", url }: StoreOptions) =>
  RedisTokenStore.layer({
    keyPrefix,
    encryptionKey: secretOf(secret),
    previousKeys: previous.map(secretOf)
  }).pipe(
    Layer.merge(Layer.effectDiscard(leaveNothing(keyPrefix))),
    Layer.provideMerge(RedisConnection.layer({ url: Redacted.make(url) }))
  )

/** The Redis of a developer is used by others, too. */
const leaveNothing = (keyPrefix = "mcp-oauth") =>
  Effect.flatMap(Redis.Redis, (redis) =>
    Effect.addFinalizer(() =>
      redis.send<ReadonlyArray<string>>("KEYS", `{${keyPrefix}}:*`).pipe(
        Effect.flatMap((keys) => (keys.length === 0 ? Effect.void : redis.send("DEL", ...keys))),
        Effect.timeout("30 seconds"),
        Effect.ignore
      )
    )
  )

export const openStore = (options: StoreOptions) =>
  Effect.map(Layer.build(layerStore(options)), (services) => ({
    store: Context.get(services, TokenStore),
    redis: Context.get(services, Redis.Redis)
  }))

export const keyOf = (serverName: string, subject?: string): TokenKey => ({
  projectId: "default",
  configId: "default",
  serverName,
  subject,
  personal: true,
  fingerprint: "f"
})

export const tokenOf = (accessToken: string, fields: Partial<OAuthToken> = {}) =>
  new OAuthToken({
    accessToken: Redacted.make(accessToken),
    tokenType: "Bearer",
    issuedAt: 0,
    reusable: true,
    ...fields
  })

/** What is in an access token, for assertions. */
export const text = (given: OAuthToken | StoreEntry | undefined) => {
  const token = given === undefined || given instanceof OAuthToken ? given : tokenOfEntry(given)
  return token && Redacted.value(token.accessToken)
}

/** Writes log lines down. */
export const recordLog = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    lines.push(`${logLevel} ${String(message)}`)
  })
  return { lines, layer: Logger.layer([logger]) }
}
