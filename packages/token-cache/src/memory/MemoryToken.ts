import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { OAuthToken, StoreUnavailable } from "@secure-mcp/oauth-core"
import { removalRecordLife, type StoreEntry } from "../store/StoreEntry.ts"
import type { Moment } from "./Moment.ts"
import { renewalSpread } from "./RenewalSpread.ts"

/** A token in the memory of this process. */
export interface MemoryToken {
  readonly token: OAuthToken
  /** When the access token expires, on the monotonic clock in milliseconds; infinite if the server did not state it. */
  readonly expiresAt: number
  /** How much earlier than others it is renewed, in milliseconds. */
  readonly renewalSpread: number
  /** False for a token that has expired, was refused, or is for one use: cached only for its refresh token. */
  readonly mayServe: boolean
  /** The store's number for it; undefined if the store has not been reached since the token was obtained. */
  readonly revision: number | undefined
  /** When the store was asked about it, or has taken it. */
  readonly checkedAt: Moment
  /**
   * When the question was asked that `checkedAt` is the answer to, on the monotonic clock: what changed in the store after that, the
   * answer may not show. Undefined if that is not known.
   */
  readonly askedAt?: number | undefined
  /** False if the store takes no token of this key, and need not be asked. */
  readonly isStorable: boolean
  /** Writes it to the store, which does not have it yet. Absent once the store has it. */
  readonly pendingWrite?: PendingWrite | undefined
}

/** Gives the revision of the write; undefined if the token was replaced or removed in the store meanwhile. */
export type PendingWrite = Effect.Effect<number | undefined, StoreUnavailable>

/**
 * Takes a token into memory. What is left of its life is read off the wall clock once, here. It is never more than
 * its whole lifetime, whatever the wall clock says.
 */
export const toMemoryToken = (
  token: OAuthToken,
  now: Moment,
  stored: Partial<Pick<MemoryToken, "revision" | "isStorable" | "askedAt">> = {}
): MemoryToken => {
  const left =
    token.expiresAt === undefined
      ? Infinity
      : Math.min(token.expiresAt - now.wall, Duration.toMillis(token.lifetime))
  return {
    token,
    expiresAt: now.monotonic + left,
    renewalSpread: renewalSpread(token),
    mayServe: token.reusable && left > 0,
    revision: stored.revision,
    checkedAt: now,
    askedAt: stored.askedAt,
    isStorable: stored.isStorable ?? true
  }
}

/** Whether the token may be served at this monotonic time. */
export const isServable = ({ expiresAt, mayServe }: MemoryToken, now: number): boolean =>
  mayServe && now < expiresAt

/** How long a store has to store the token: one with a refresh token is of use beyond its expiry. */
export const timeToLive = ({ expiresAt, mayServe, token }: MemoryToken, now: number): Duration.Duration => {
  if (token.refreshToken !== undefined) return Duration.infinity
  return mayServe ? Duration.millis(expiresAt - now) : Duration.zero
}

/**
 * Whether the store says that this token was removed. A removal does not concern a token that was obtained after it.
 * That is decided by the revisions, and for a token that never reached the store by the time of its request.
 */
export const isRemoved = (cached: MemoryToken, entry: StoreEntry, now: Moment): boolean => {
  if (entry._tag === "Absent") return cached.pendingWrite === undefined && isForgotten(cached, now)
  if (entry._tag !== "Removed") return false
  const { pendingWrite, revision, token } = cached
  if (revision === undefined) return token.issuedAt <= entry.removedAt
  return pendingWrite === undefined ? entry.revision >= revision : entry.revision > revision
}

/** Nobody has asked the store for so long that it may have forgotten a removal. */
const isForgotten = ({ checkedAt, isStorable }: MemoryToken, { wall }: Moment): boolean =>
  isStorable && wall - checkedAt.wall > Duration.toMillis(removalRecordLife)

/** Whether the store's token replaces the one in memory: another process has stored it since. */
export const isReplacedBy = (cached: MemoryToken, entry: StoreEntry): boolean => {
  if (entry._tag !== "Stored" || entry.token.isSame(cached.token)) return false
  const { pendingWrite, revision, token } = cached
  if (revision === undefined) return pendingWrite === undefined || entry.token.issuedAt > token.issuedAt
  // A store that was restored from a backup has lost ours.
  return pendingWrite === undefined ? entry.revision >= revision : entry.revision > revision
}
