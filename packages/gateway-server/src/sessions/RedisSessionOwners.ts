import { createHmac } from "node:crypto"
import { StoreUnavailable } from "@secure-mcp/oauth-core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redis from "effect/persistence/Redis"
import * as Redacted from "effect/Redacted"
import { sessionLife, SessionOwners } from "./SessionOwners.ts"

/**
 * Whose the sessions are, in Redis, for several gateways: a session that began at one of them goes on at every other.
 * Redis forgets by itself what was not renewed.
 *
 * @param options.secret what all gateways of the deployment know, and nobody else
 * @param options.keyPrefix begins every key in Redis; the default is that of the tokens
 */
export const redisSessionOwners = ({
  keyPrefix = "mcp-oauth",
  secret
}: {
  readonly secret: Redacted.Redacted
  readonly keyPrefix?: string | undefined
}): Layer.Layer<never, never, Redis.Redis> =>
  Layer.effect(
    SessionOwners,
    Effect.map(Redis.Redis, (redis) => {
      const keyOf = (session: string) => `{${keyPrefix}}:session:${session}`
      const ask = <A>(command: string, ...args: ReadonlyArray<string>) =>
        redis.send<A>(command, ...args).pipe(
          Effect.timeout(longestAnswer),
          Effect.mapError(
            () => new StoreUnavailable({ problem: "Redis does not answer. Check that it runs" })
          )
        )
      const find = (session: string) =>
        Effect.map(ask<string | null>("GET", keyOf(session)), (owner) => owner ?? undefined)

      return {
        digestKey: Redacted.make(
          createHmac("sha256", Redacted.value(secret)).update("mcp-session-owners").digest()
        ),
        find,
        bind: Effect.fnUntraced(function* (session: string, owner: string) {
          const set = ["SET", keyOf(session), owner, "PX", lifeMillis] as const
          if ((yield* ask(...set, "NX")) !== null) return true
          if ((yield* find(session)) !== owner) return false
          yield* ask("PEXPIRE", keyOf(session), lifeMillis)
          return true
        }),
        remove: (session: string) => Effect.asVoid(ask("DEL", keyOf(session)))
      }
    })
  )

const lifeMillis = String(Duration.toMillis(sessionLife))

/** Redis answers in milliseconds, or is away. */
const longestAnswer = Duration.seconds(2)
