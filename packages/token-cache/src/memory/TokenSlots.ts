import * as Context from "effect/Context"
import { tokenKeyString, type TokenKey } from "@secure-mcp/oauth-core"
import { type Ordered, UseOrder } from "@secure-mcp/oauth-core/internal"
import { emptySlot, isEmpty, isEvictable, type CacheSlot } from "./CacheSlot.ts"

/**
 * How many tokens are cached in memory at most, at least 1. Beyond it the token that was not used for the longest
 * time is evicted. Provide another number with `Layer.succeed(TokenCapacity, 500)`. Default: 10,000.
 */
export const TokenCapacity = Context.Reference<number>("@secure-mcp/token-cache/TokenCapacity", {
  defaultValue: () => 10_000
})

/** A step from what is known about a key to what is known then, and what the caller wants to know. */
export type Transition<A> = (slot: CacheSlot) => readonly [A, CacheSlot]

/**
 * What is known about all keys. Each operation is synchronous, and so one atomic step; those on one key take the same time
 * however many keys there are.
 */
export interface TokenSlots {
  /** What is known about a key. */
  readonly get: (key: TokenKey) => CacheSlot
  /** The same for a caller who asks for the token, so that it counts as used; undefined if nothing is known. */
  readonly look: (key: TokenKey) => CacheSlot | undefined
  /** Changes what is known about a key. A slot that holds nothing leaves. */
  readonly modify: <A>(key: TokenKey, transition: Transition<A>) => A
  /** The same for a caller who asks for the token, so that it counts as used. */
  readonly use: <A>(key: TokenKey, transition: Transition<A>) => A
  /** All slots, in no particular order. May be changed meanwhile. */
  readonly all: () => Iterable<CacheSlot>
}

/** One slot in memory. */
interface Entry extends Ordered<Entry> {
  readonly id: string
  slot: CacheSlot
}

/**
 * Nothing is known yet.
 *
 * @param capacity how many slots there may be; only those that cannot be evicted may be more
 */
export const makeTokenSlots = (capacity: number): TokenSlots => {
  const entries = new Map<string, Entry>()
  const evictable = new UseOrder<Entry>()

  const step = <A>(key: TokenKey, transition: Transition<A>, isUse: boolean): A => {
    const id = tokenKeyString(key)
    const known = entries.get(id)
    const [result, slot] = transition(known?.slot ?? emptySlot(key))
    if (!isEmpty(slot)) put(known, id, slot, isUse)
    else if (known !== undefined) remove(known)
    return result
  }

  const put = (known: Entry | undefined, id: string, slot: CacheSlot, isUse: boolean): void => {
    const entry = known ?? { id, slot, older: undefined, newer: undefined }
    if (known === undefined) entries.set(id, entry)
    else entry.slot = slot
    if (!isEvictable(slot)) evictable.remove(entry)
    // One that could not be evicted until now counts as used.
    else if (isUse || !evictable.has(entry)) evictable.use(entry)
    evictAllBut(entry)
  }

  const evictAllBut = (entry: Entry): void => {
    while (entries.size > capacity) {
      const { oldest } = evictable
      if (oldest === undefined || oldest === entry) return
      remove(oldest)
    }
  }

  const remove = (entry: Entry): void => {
    entries.delete(entry.id)
    evictable.remove(entry)
  }

  return {
    get: (key) => entries.get(tokenKeyString(key))?.slot ?? emptySlot(key),
    look: (key) => {
      const entry = entries.get(tokenKeyString(key))
      if (entry !== undefined && evictable.has(entry)) evictable.use(entry)
      return entry?.slot
    },
    modify: (key, transition) => step(key, transition, false),
    use: (key, transition) => step(key, transition, true),
    all: function* () {
      for (const { slot } of entries.values()) yield slot
    }
  }
}
