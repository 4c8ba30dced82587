import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import {
  OAuthToken,
  type CachedToken,
  type OAuthError,
  type OAuthEvents,
  type TokenCacheRequest,
  type TokenKey
} from "@secure-mcp/oauth-core"
import { subjectOf } from "@secure-mcp/oauth-core/internal"
import type { Obtained } from "../memory/CacheSlot.ts"
import type { Lead } from "../memory/Decision.ts"
import { isServable, toMemoryToken, type MemoryToken } from "../memory/MemoryToken.ts"
import { currentMoment } from "../memory/Moment.ts"
import { tokenOfEntry, type StoreEntry } from "../store/StoreEntry.ts"
import type { TokenLease } from "../store/TokenLease.ts"
import type { TokenStore } from "../store/TokenStore.ts"
import { acquireLease, unstorableLease, type HeldLease, type Turn } from "./RefreshLock.ts"
import { orFail, orWarn, readQuietly, readStore, type StoreReading } from "./StoreAccess.ts"
import { compareWithStore, type Renew } from "./StoreComparison.ts"
import { acquiring, guardedAcquire } from "./StoreGuard.ts"
import { makeTokenWriter, type WrittenToken } from "./TokenWriter.ts"

/** What an acquisition tells the cache while it runs. */
export interface AcquisitionProgress {
  /** A refresh token is about to be sent: the acquisition goes on without waiters. */
  readonly beginRefresh: (previous: MemoryToken) => Effect.Effect<void>
  /** A new refresh token has replaced the previous one, whatever becomes of the access token. */
  readonly cacheNewGrant: (cached: MemoryToken | undefined) => Effect.Effect<void>
  /** The token in memory was removed from the store. */
  readonly dropRemoved: Effect.Effect<void>
}

/** What the leader of an acquisition does. */
export interface TokenAcquisition {
  /**
   * Reads the store, acquires the lease, reads again, obtains a token, stores it. Uninterruptible except while it waits
   * for the store, for the lease or for a first token: a token that was granted is stored. A refresh token may be used
   * up as soon as it is sent, so the answer to that is waited for.
   */
  readonly obtain: (
    lead: Lead,
    request: TokenCacheRequest,
    progress: AcquisitionProgress
  ) => Effect.Effect<Obtained, OAuthError>
  /** Stores a token that was obtained elsewhere. */
  readonly put: (key: TokenKey, token: OAuthToken) => Effect.Effect<Obtained>
}

export const makeTokenAcquisition = (
  store: TokenStore["Service"],
  isStorable: (key: TokenKey) => boolean,
  events: (typeof OAuthEvents)["Service"]
): TokenAcquisition => {
  const writer = makeTokenWriter(store)

  const obtain: TokenAcquisition["obtain"] = Effect.fnUntraced(function* (lead, request, progress) {
    const { monotonic: askedAt } = yield* currentMoment
    const reading = yield* readStore(store, request.key)
    const first = compareWithStore(entryOf(reading), lead, request, yield* currentMoment, { askedAt })
    if (!lead.acquisition.background) yield* publishLook(request.key, first._tag)
    if (first._tag === "ServeStored") return served(first.cached, "cache")
    if (first.isRemoved) yield* progress.dropRemoved

    /** Another process may have replaced the token since the first look. */
    const compareAgain = (entry: StoreEntry | undefined) =>
      Effect.map(currentMoment, (now) =>
        compareWithStore(entry, lead, request, now, { isNew: isStoredSince(reading, entry) })
      )
    const turn = isUnstorable(reading)
      ? ({ _tag: "Leased", lease: unstorableLease } as const)
      : yield* takeTurn(request, first, Effect.flatMap(readQuietly(store, request.key), compareAgain))
    if (turn._tag === "Overtaken") return served(turn.result, "acquired")
    const lease = turn._tag === "Leased" ? turn.lease : undefined
    const second = lease === undefined ? first : yield* compareAgain(lease.found)
    if (second._tag === "ServeStored") return served(second.cached, "acquired")
    if (second.isRemoved) yield* progress.dropRemoved
    return yield* replace({ request, comparison: second, lease, reading, progress })
  }, Effect.scoped)

  const publishLook = ({ serverName }: TokenKey, found: "ServeStored" | "Renew") =>
    events.publish({ _tag: found === "ServeStored" ? "CacheHit" : "CacheMiss", serverName })

  /** Without a lease no refresh token is used; a token that the client gets by itself is obtained regardless. */
  const takeTurn = Effect.fnUntraced(function* (
    request: TokenCacheRequest,
    { previous }: Renew,
    comparison: Effect.Effect<ReturnType<typeof compareWithStore>>
  ): Effect.fn.Return<Turn<MemoryToken> | Unleased, OAuthError, Scope.Scope> {
    const { key } = request
    const start = (yield* currentMoment).monotonic
    const overtaken = Effect.map(comparison, (found) =>
      found._tag === "ServeStored" ? found.cached : undefined
    )
    const turn = acquireLease(store, key, overtaken)
    if (previous?.token.refreshToken === undefined) return (yield* orWarn("locked")(turn)) ?? unleased
    return yield* orFail(
      acquiring,
      key.serverName
    )(turn).pipe(Effect.tapError((error) => publishFailure(request, previous, start, error)))
  })

  const replace = Effect.fnUntraced(function* (replacement: Replacement) {
    const { comparison, lease, progress, request } = replacement
    const { previous: found, refused } = comparison
    const previous = found && withoutRefused(found, request)
    if (refused !== undefined) yield* writer.markRefused(request.key, refused, lease)
    if (previous?.token.refreshToken !== undefined) yield* progress.beginRefresh(previous)
    return yield* acquire(replacement, previous).pipe(
      Effect.flatMap((token) => writer.write(request.key, token, previous?.token, lease)),
      Effect.map((written): Obtained => ({ ...acquired(written), isFirst: previous === undefined })),
      Effect.catch((error) => unlessOvertaken(request.key, previous, lease, error))
    )
  })

  const acquire = Effect.fnUntraced(function* (
    { lease, progress, reading, request }: Replacement,
    previous: MemoryToken | undefined
  ) {
    const start = (yield* currentMoment).monotonic
    const keep = (token: OAuthToken) =>
      Effect.gen(function* () {
        if (token.refreshToken === undefined) return
        const grant = withServableAccessToken(token, previous, (yield* currentMoment).monotonic)
        const written = yield* writer.write(request.key, grant, previous?.token, lease)
        yield* progress.cacheNewGrant(written.cached)
      }).pipe(Effect.uninterruptible)
    const acquisition = guardedAcquire(store, {
      request,
      previous: previous?.token,
      keep,
      isStorable: lease?.found._tag !== "NotStorable",
      unread: reading._tag === "Unread" ? reading.problem : undefined
    })
    const token = yield* (
      previous?.token.refreshToken === undefined ? Effect.interruptible(acquisition) : acquisition
    ).pipe(Effect.tapError((error) => publishFailure(request, previous, start, error)))
    yield* events.publish({
      _tag: "TokenAcquired",
      serverName: request.key.serverName,
      ...subjectOf(request.key),
      duration: yield* since(start),
      refresh: previous !== undefined
    })
    return token
  })

  const publishFailure = Effect.fnUntraced(function* (
    { key }: TokenCacheRequest,
    previous: MemoryToken | undefined,
    start: number,
    { reason }: OAuthError
  ) {
    yield* events.publish({
      _tag: "AcquisitionFailed",
      serverName: key.serverName,
      ...subjectOf(key),
      duration: yield* since(start),
      refresh: previous !== undefined,
      reason: reason._tag
    })
  })

  /**
   * A grant that seems to have ended may live on: renewed by a process whose lease has ended, or by a login. Step
   * `refused` of docs/models/renewal.pml.
   */
  const unlessOvertaken = Effect.fnUntraced(function* (
    key: TokenKey,
    previous: MemoryToken | undefined,
    lease: TokenLease | undefined,
    error: OAuthError
  ) {
    if (previous === undefined || error.reason._tag !== "AuthorizationRequired") return yield* error
    const entry = yield* readQuietly(store, key)
    if (entry?._tag !== "Stored" || entry.token.isSame(previous.token)) return yield* error
    if (lease !== undefined && entry.revision <= lease.revision) return yield* error
    const now = yield* currentMoment
    const cached = toMemoryToken(entry.token, now, entry)
    return isServable(cached, now.monotonic) ? served(cached, "acquired") : yield* error
  })

  return {
    obtain,
    put: (key, token) =>
      Effect.map(
        writer.write(key, token, token, isStorable(key) ? undefined : unstorableLease),
        (written) => ({
          ...acquired(written),
          ...(token.reusable ? {} : { answer: undefined }),
          isFirst: true
        })
      )
  }
}

/** A token to be replaced, or to be obtained for the first time. */
interface Replacement {
  readonly request: TokenCacheRequest
  readonly comparison: Renew
  readonly lease: HeldLease | undefined
  readonly reading: StoreReading
  readonly progress: AcquisitionProgress
}

/** The store could not be asked for a lease, and none is needed. */
interface Unleased {
  readonly _tag: "Unleased"
}

const unleased: Unleased = { _tag: "Unleased" }

const entryOf = (reading: StoreReading): StoreEntry | undefined =>
  reading._tag === "Read" ? reading.entry : undefined

const isUnstorable = (reading: StoreReading): boolean => entryOf(reading)?._tag === "NotStorable"

/** Whether another process has stored this token since the first look. Not known if that one failed. */
const isStoredSince = (first: StoreReading, entry: StoreEntry | undefined): boolean => {
  if (first._tag === "Unread") return false
  const [before, now] = [tokenOfEntry(first.entry), entry && tokenOfEntry(entry)]
  return before === undefined || now === undefined || !now.isSame(before)
}

const withoutRefused = (cached: MemoryToken, { refused }: TokenCacheRequest): MemoryToken =>
  refused !== undefined && cached.token.isAccessToken(refused) ? { ...cached, mayServe: false } : cached

/**
 * A new refresh token whose access token must not be served. The previous access token, if it may still be served,
 * goes with it.
 */
const withServableAccessToken = (
  grant: OAuthToken,
  previous: MemoryToken | undefined,
  now: number
): OAuthToken => {
  if (previous === undefined || !isServable(previous, now)) return grant
  const { expiresAt: _, scope: __, ...granted } = grant
  const { accessToken, expiresAt, issuedAt, scope } = previous.token
  return new OAuthToken({
    ...granted,
    accessToken,
    issuedAt,
    reusable: true,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(scope === undefined ? {} : { scope })
  })
}

const since = (start: number): Effect.Effect<Duration.Duration> =>
  Effect.map(currentMoment, ({ monotonic }) => Duration.millis(monotonic - start))

const served = (cached: MemoryToken, source: CachedToken["source"]): Obtained => ({
  answer: { token: cached.token, source },
  cached
})

const acquired = ({ cached, storeProblem, token }: WrittenToken): Obtained => ({
  answer: { token, source: "acquired" },
  cached,
  storeProblem
})
