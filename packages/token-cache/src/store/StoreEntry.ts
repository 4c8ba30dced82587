import * as Duration from "effect/Duration"
import type { OAuthToken } from "@secure-mcp/oauth-core"

/**
 * What a store says about a key. `Removed` and `Absent` differ for a process that has the token in memory: a removed
 * token must not be used any more, while a token that the store lost is written back with the next renewal.
 */
export type StoreEntry = StoredToken | RemovedToken | AbsentToken | NotStorable

/** The store has a token for the key. */
export interface StoredToken {
  readonly _tag: "Stored"
  readonly token: OAuthToken
  /** The number of the write: that of its lease, or one of its own. Rises with each lease, write and removal. */
  readonly revision: number
}

/** The token of the key was removed and no other one was stored since. Told for `removalRecordLife` at least. */
export interface RemovedToken {
  readonly _tag: "Removed"
  /** The number of the removal. `TokenStore.remove` gives it one above every lease given so far. */
  readonly revision: number
  /** When it was removed, in milliseconds since the epoch. */
  readonly removedAt: number
}

/** The store has never had a token for the key, or has lost it, or its time to live is over. */
export interface AbsentToken {
  readonly _tag: "Absent"
}

/** The store takes no token of this key. The cache does not ask again: its memory is all there is. */
export interface NotStorable {
  readonly _tag: "NotStorable"
}

/** The entry of a key without a token. */
export const absent: AbsentToken = { _tag: "Absent" }

/** The entry of every key whose tokens a store does not take. */
export const notStorable: NotStorable = { _tag: "NotStorable" }

/** The token of an entry, if it has one. */
export const tokenOfEntry = (entry: StoreEntry): OAuthToken | undefined =>
  entry._tag === "Stored" ? entry.token : undefined

/**
 * How long a store remembers a removal: 30 days. A process looks into the store before it uses a token that it has
 * not looked after for some seconds. One that has not looked for longer than this takes a token that the store does
 * not know for a removed one.
 */
export const removalRecordLife: Duration.Duration = Duration.days(30)
