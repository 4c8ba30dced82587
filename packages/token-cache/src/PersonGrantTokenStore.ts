import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type { OAuthToken } from "@secure-mcp/oauth-core"
import type { TokenStore } from "./TokenStore.ts"

/**
 * Keeps in `durable` what only a person can give again, and in `memory` what the gateway can ask for again by
 * itself. A key has its token in one of the two.
 */
export const makePersonGrantTokenStore = (durable: Store, memory: Store): Store => ({
  get: (key) => Effect.filterOrElse(memory.get(key), Predicate.isNotUndefined, () => durable.get(key)),
  set: (key, token, timeToLive) => {
    const [place, other] = isPersonGrant(token) ? [durable, memory] : [memory, durable]
    return Effect.andThen(place.set(key, token, timeToLive), other.remove(key)).pipe(Effect.asVoid)
  },
  // The one that may fail goes first: what fails changes nothing.
  remove: (key) => Effect.zipWith(durable.remove(key), memory.remove(key), (kept, held) => held ?? kept),
  list: Effect.zipWith(durable.list, memory.list, (kept, held) => [...kept, ...held]),
  checkWritable: durable.checkWritable
})

type Store = TokenStore["Service"]

const isPersonGrant = ({ grantedTo, refreshToken }: OAuthToken): boolean =>
  grantedTo !== undefined || refreshToken !== undefined
