import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type { OAuthToken, TokenKey } from "@secure-mcp/oauth-core"
import type { TokenLease } from "./TokenLease.ts"
import type { TokenStore } from "./TokenStore.ts"

/**
 * Keeps in `durable` what only a person can give again, and in `memory` what the gateway can ask for again by
 * itself. A key has its token in one of the two.
 */
export const makePersonGrantTokenStore = (durable: Store, memory: Store): Store => {
  const get: Store["get"] = (key) =>
    Effect.filterOrElse(memory.get(key), Predicate.isNotUndefined, () => durable.get(key))

  const placesFor = (token: OAuthToken): readonly [place: Store, other: Store] =>
    isPersonGrant(token) ? [durable, memory] : [memory, durable]

  const set: Store["set"] = (key, token, timeToLive) => {
    const [place, other] = placesFor(token)
    return Effect.andThen(place.set(key, token, timeToLive), other.remove(key)).pipe(Effect.asVoid)
  }

  /** The lease decides whether a token may be written; one of the other kind then moves to its place. */
  const moving = (key: TokenKey, leased: Store, lease: TokenLease): TokenLease => ({
    ...lease,
    set: Effect.fnUntraced(function* (token, timeToLive) {
      if (!(yield* lease.set(token, timeToLive))) return false
      const [place, other] = placesFor(token)
      if (place === leased) yield* other.remove(key)
      else yield* Effect.andThen(place.set(key, token, timeToLive), lease.remove(token))
      return true
    })
  })

  return {
    get,
    set,
    // The one that may fail goes first: what fails changes nothing.
    remove: (key) => Effect.zipWith(durable.remove(key), memory.remove(key), (kept, held) => held ?? kept),
    list: Effect.zipWith(durable.list, memory.list, (kept, held) => [...kept, ...held]),
    checkWritable: durable.checkWritable,
    // The client's own tokens concern no other process.
    lease: Effect.fnUntraced(function* (key, timeToLive) {
      const isOwn = (yield* memory.get(key)) !== undefined || (yield* durable.get(key)) === undefined
      const place = isOwn ? memory : durable
      const lease = yield* place.lease(key, timeToLive)
      return lease && moving(key, place, lease)
    })
  }
}

type Store = TokenStore["Service"]

const isPersonGrant = ({ grantedTo, refreshToken }: OAuthToken): boolean =>
  grantedTo !== undefined || refreshToken !== undefined
