import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { OAuthToken, StoreUnavailable, type TokenKey } from "@secure-mcp/oauth-core"
import {
  isRemoved,
  isReplacedBy,
  timeToLive,
  toMemoryToken,
  type MemoryToken
} from "../memory/MemoryToken.ts"
import { currentMoment } from "../memory/Moment.ts"
import type { TokenLease } from "../store/TokenLease.ts"
import type { TokenStore } from "../store/TokenStore.ts"
import type { HeldLease } from "./RefreshLock.ts"
import { defectsAsProblems, orWarn, readQuietly, warnOf } from "./StoreAccess.ts"

/** A token that was to be stored. */
export interface WrittenToken {
  /** The token to go on with: this one, or a later one of another process. */
  readonly token: OAuthToken
  /** The same for memory; undefined if it is of no further use. */
  readonly cached: MemoryToken | undefined
  /** Why the store does not have it; undefined if it has. */
  readonly storeProblem?: StoreUnavailable | undefined
}

/** Writes tokens to the store, with the lease they were obtained under if there is one. */
export interface TokenWriter {
  /**
   * Stores a token. One that cannot be served again or refreshed is not stored, and `previous`, which it replaces, is
   * removed. A store that fails gets the token later (`MemoryToken.pendingWrite`).
   * Step `write` of docs/models/renewal.pml.
   */
  readonly write: (
    key: TokenKey,
    token: OAuthToken,
    previous: OAuthToken | undefined,
    lease: HeldLease | undefined
  ) => Effect.Effect<WrittenToken>
  /** Keeps other processes from serving a refused token. Its refresh token stays in the store. */
  readonly markRefused: (
    key: TokenKey,
    refused: OAuthToken,
    lease: TokenLease | undefined
  ) => Effect.Effect<void>
}

export const makeTokenWriter = (store: TokenStore["Service"]): TokenWriter => {
  const write: TokenWriter["write"] = Effect.fnUntraced(function* (key, token, previous, lease) {
    const now = yield* currentMoment
    const cached = toMemoryToken(token, now, {
      revision: lease?.revision,
      isStorable: lease?.found._tag !== "NotStorable"
    })
    if (!Duration.isPositive(timeToLive(cached, now.monotonic))) {
      if (previous !== undefined) yield* orWarn("written")(remove(key, previous, lease))
      return { token, cached: undefined }
    }
    if (!cached.isStorable) return { token, cached }
    const pendingWrite = defectsAsProblems(
      lease === undefined
        ? writeLater(key, cached)
        : Effect.tap(writeLeased(cached, lease), () => Effect.ignore(lease.release))
    )
    const firstWrite =
      lease === undefined
        ? store.set(key, token, timeToLive(cached, now.monotonic))
        : writeLeased(cached, lease)
    return yield* defectsAsProblems(firstWrite).pipe(
      Effect.tap(() => lease?.awaitWrite(false) ?? Effect.void),
      Effect.tapError(() => lease?.awaitWrite(true) ?? Effect.void),
      Effect.flatMap((revision) =>
        revision === undefined
          ? overtaken(key, token)
          : Effect.succeed({ token, cached: { ...cached, revision, askedAt: now.monotonic } })
      ),
      Effect.catch((storeProblem) =>
        Effect.as(warnOf("written", storeProblem), {
          token,
          cached: { ...cached, pendingWrite },
          storeProblem
        })
      )
    )
  })

  /** Undefined if a token was stored or removed since the lease was given. */
  const writeLeased = Effect.fnUntraced(function* (cached: MemoryToken, lease: TokenLease) {
    const { monotonic } = yield* currentMoment
    const left = timeToLive(cached, monotonic)
    const isStored = !Duration.isPositive(left) || (yield* lease.set(cached.token, left))
    return isStored ? lease.revision : undefined
  })

  /** The store was away when the token came. In the meantime it may have been removed or replaced there. */
  const writeLater = (key: TokenKey, cached: MemoryToken) =>
    Effect.gen(function* () {
      const lease = yield* store.lease(key, Duration.seconds(10))
      if (lease === undefined)
        return yield* new StoreUnavailable({ problem: "another process is renewing this token" })
      yield* Effect.addFinalizer(() => Effect.ignore(lease.release))
      const now = yield* currentMoment
      return isRemoved(cached, lease.found, now) || isReplacedBy(cached, lease.found)
        ? undefined
        : yield* writeLeased(cached, lease)
    }).pipe(Effect.scoped, Effect.uninterruptible)

  /** Another process has stored a token since, which counts, or has removed it, and nothing is cached. */
  const overtaken = Effect.fnUntraced(function* (key: TokenKey, token: OAuthToken) {
    const entry = yield* readQuietly(store, key)
    if (entry?._tag !== "Stored") return { token, cached: undefined }
    const cached = toMemoryToken(entry.token, yield* currentMoment, entry)
    return { token: cached.mayServe ? entry.token : token, cached }
  })

  const remove = (key: TokenKey, token: OAuthToken, lease: TokenLease | undefined) =>
    lease === undefined ? Effect.asVoid(store.remove(key)) : lease.remove(token)

  const markRefused: TokenWriter["markRefused"] = (key, refused, lease) => {
    const unservable = new OAuthToken({ ...refused, reusable: false })
    const forever = Duration.infinity
    return Effect.asVoid(
      orWarn("written")<unknown, never>(
        refused.refreshToken === undefined
          ? remove(key, refused, lease)
          : lease === undefined
            ? store.set(key, unservable, forever)
            : lease.set(unservable, forever)
      )
    )
  }

  return { write, markRefused }
}
