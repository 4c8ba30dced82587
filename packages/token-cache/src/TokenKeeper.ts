import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { OAuthToken, StoreUnavailable, type TokenKey } from "@secure-mcp/oauth-core"
import { currentMoment, hold, timeToLive, type HeldToken } from "./HeldToken.ts"
import { orWarn, unexpected } from "./StoreWarning.ts"
import type { TokenLease } from "./TokenLease.ts"
import type { TokenStore } from "./TokenStore.ts"

/** A token that was handed to the keeper. */
export interface Kept {
  /** The token to go on with: this one, or a later one of another process. */
  readonly token: OAuthToken
  /** How memory is to keep it; absent if it is of no further use. */
  readonly held: HeldToken | undefined
  /** Why the store does not have it; absent if it has. */
  readonly unstored?: StoreUnavailable | undefined
}

/** Puts tokens into the store, with the lease they were obtained under if there is one. */
export const makeTokenKeeper = (store: TokenStore["Service"]) => {
  /** Writes the token for what is left of its life; false if the store has a later one. */
  const write = (
    key: TokenKey,
    held: HeldToken,
    lease: TokenLease | undefined
  ): Effect.Effect<boolean, StoreUnavailable> =>
    Effect.flatMap(currentMoment, (now) => {
      const keptFor = timeToLive(held, now.monotonic)
      if (!Duration.isPositive(keptFor)) return Effect.succeed(true)
      return lease === undefined
        ? Effect.as(store.set(key, held.token, keptFor), true)
        : lease.set(held.token, keptFor)
    })

  /** Another process has written a token since, which counts; or it has removed one, and nothing is to be kept. */
  const yieldTo = Effect.fnUntraced(function* (key: TokenKey, token: OAuthToken) {
    const later = yield* orWarn("read")(store.get(key))
    if (later === undefined) return { token, held: undefined } satisfies Kept
    const held = hold(later, yield* currentMoment)
    return { token: held.spent ? token : later, held } satisfies Kept
  })

  const keep = Effect.fnUntraced(function* (
    key: TokenKey,
    token: OAuthToken,
    previous: OAuthToken | undefined,
    lease: TokenLease | undefined
  ): Effect.fn.Return<Kept> {
    const now = yield* currentMoment
    const held = hold(token, now)
    if (!Duration.isPositive(timeToLive(held, now.monotonic))) {
      if (previous !== undefined) yield* orWarn("written")(forget(key, previous, lease))
      return { token, held: undefined }
    }
    const unstored = write(key, held, lease)
    const written = yield* Effect.result(
      Effect.catchDefect(unstored, () => Effect.fail(new StoreUnavailable({ problem: unexpected })))
    )
    if (Result.isFailure(written)) {
      yield* orWarn("written")(Effect.fail(written.failure))
      return { token, held: { ...held, unstored }, unstored: written.failure }
    }
    return written.success ? { token, held } : yield* yieldTo(key, token)
  })

  const forget = (key: TokenKey, token: OAuthToken, lease: TokenLease | undefined) =>
    lease === undefined ? store.remove(key) : lease.remove(token)

  /** A process that starts later must not serve the refused token, but may need it to refresh. */
  const withdraw = (key: TokenKey, refused: OAuthToken, lease: TokenLease | undefined) => {
    const spent = new OAuthToken({ ...refused, reusable: false })
    return orWarn("written")<unknown, never>(
      refused.refreshToken === undefined
        ? forget(key, refused, lease)
        : lease === undefined
          ? store.set(key, spent, Duration.infinity)
          : lease.set(spent, Duration.infinity)
    )
  }

  return { keep, withdraw }
}
