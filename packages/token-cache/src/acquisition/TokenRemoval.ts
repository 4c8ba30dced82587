import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import {
  type OAuthError,
  type OAuthEvents,
  type OAuthToken,
  type TokenCache,
  type TokenKey
} from "@secure-mcp/oauth-core"
import { subjectOf } from "@secure-mcp/oauth-core/internal"
import { isReplacedBy, type MemoryToken } from "../memory/MemoryToken.ts"
import { beginExclusiveRemoval, beginRemoval, endRemoval } from "../memory/RemovalState.ts"
import type { TokenSlots } from "../memory/TokenSlots.ts"
import { tokenOfEntry, type StoreEntry } from "../store/StoreEntry.ts"
import type { TokenStore } from "../store/TokenStore.ts"
import { acquireLease } from "./RefreshLock.ts"
import { orFail } from "./StoreAccess.ts"

const invalidating = "invalidate the token"
const revoking = "revoke the access token"

/**
 * `TokenCache.invalidate` and `revoke`. While a token is removed, callers who want it wait. The removal ends before the
 * server is told: step `revoke` of docs/models/renewal.pml.
 */
export const makeTokenRemoval = (
  slots: TokenSlots,
  store: TokenStore["Service"],
  events: (typeof OAuthEvents)["Service"]
): Pick<TokenCache["Service"], "invalidate" | "revoke"> => {
  const invalidate = Effect.fn("TokenCache.invalidate")(function* (key: TokenKey) {
    const ended = Deferred.makeUnsafe<void>()
    const start = slots.modify(key, (slot) => beginRemoval(slot, ended))
    // The other caller gets the token. It is removed for this one just the same.
    if (start._tag === "AlreadyRemoving") return undefined
    const stored = yield* removeStored(key, start.cached, invalidating)
    return yield* published(key, start.cached?.token ?? stored)
  }, Effect.uninterruptible)

  const revoke: TokenCache["Service"]["revoke"] = (key, revokeToken) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(removeNewest(key, restore), (token) =>
        token === undefined ? Effect.undefined : revokeToken(token)
      )
    ).pipe(Effect.withSpan("TokenCache.revoke", { attributes: { server_name: key.serverName } }))

  /** Removes the token once no renewal is under way, neither here nor in another process. */
  const removeNewest = (
    key: TokenKey,
    restore: Restore
  ): Effect.Effect<OAuthToken | undefined, OAuthError> => {
    const again = Effect.suspend(() => removeNewest(key, restore))
    const ended = Deferred.makeUnsafe<void>()
    return Effect.flatMap(
      Effect.sync(() => slots.modify(key, (slot) => beginExclusiveRemoval(slot, ended))),
      (start) => {
        switch (start._tag) {
          case "AcquisitionRunning":
            return Effect.andThen(restore(Deferred.await(start.acquisition.outcome)), again)
          case "AlreadyRemoving":
            return Effect.andThen(restore(Deferred.await(start.removal.ended)), again)
          case "Removing":
            return removeUnderLease(key, start.cached, restore)
        }
      }
    )
  }

  const removeUnderLease = (key: TokenKey, cached: MemoryToken | undefined, restore: Restore) =>
    Effect.gen(function* () {
      const turn = yield* restore(
        orFail(revoking, key.serverName)(acquireLease(store, key, Effect.undefined))
      ).pipe(Effect.onError(() => putBack(key, cached)))
      const found: StoreEntry = turn._tag === "Leased" ? turn.lease.found : { _tag: "Absent" }
      yield* removeStored(key, cached, revoking)
      return yield* published(key, newest(cached, found))
    }).pipe(Effect.scoped)

  /** A store that cannot remove the token leaves it in memory as well. Step `remove` of docs/models/renewal.pml. */
  const removeStored = (key: TokenKey, cached: MemoryToken | undefined, operation: string) =>
    orFail(
      operation,
      key.serverName
    )(store.remove(key)).pipe(
      Effect.onError(() => putBack(key, cached)),
      Effect.tap(() => putBack(key, undefined))
    )

  const putBack = (key: TokenKey, cached: MemoryToken | undefined) =>
    Effect.flatMap(
      Effect.sync(() => slots.modify(key, (slot) => endRemoval(slot, cached))),
      (removal) =>
        removal === undefined ? Effect.void : Effect.asVoid(Deferred.succeed(removal.ended, undefined))
    )

  const published = (key: TokenKey, token: OAuthToken | undefined) =>
    Effect.as(
      token === undefined
        ? Effect.void
        : events.publish({ _tag: "TokenInvalidated", serverName: key.serverName, ...subjectOf(key) }),
      token
    )

  return { invalidate, revoke }
}

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const newest = (cached: MemoryToken | undefined, found: StoreEntry): OAuthToken | undefined =>
  cached === undefined || isReplacedBy(cached, found) ? tokenOfEntry(found) : cached.token
