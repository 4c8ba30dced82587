import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import {
  OAuthError,
  OAuthEvents,
  OAuthToken,
  RequestTimeout,
  StoreUnavailable,
  type OAuthEvent,
  type TokenCacheRequest,
  type TokenKey
} from "@secure-mcp/oauth-core"
import { tokenOfEntry, type StoreEntry, type TokenStore } from "@secure-mcp/token-cache"
import { renewalSpread } from "../src/memory/RenewalSpread.ts"

export const keyOf = (serverName: string): TokenKey => ({
  projectId: "default",
  configId: "default",
  serverName,
  personal: true,
  fingerprint: "f"
})

/** A token issued at the epoch, where the TestClock starts; it lives for ever unless `expiresAt` says otherwise. */
export const tokenOf = (accessToken: string, fields: Partial<OAuthToken> = {}) =>
  new OAuthToken({
    accessToken: Redacted.make(accessToken),
    tokenType: "Bearer",
    issuedAt: 0,
    reusable: true,
    ...fields
  })

/** When a token of 100 s that was issued at the epoch is renewed, with an expiry buffer of 10 s: by the millisecond. */
export const firstRenewal = (accessToken: string): number =>
  Math.ceil(100_000 - 10_000 - renewalSpread(tokenOf(accessToken, { expiresAt: 100_000 })))

/** What is in an access token, for assertions. */
export const text = (given: OAuthToken | StoreEntry | undefined) => {
  const token = given === undefined || given instanceof OAuthToken ? given : tokenOfEntry(given)
  return token && Redacted.value(token.accessToken)
}

export const refusedBy = (correlationId: string) =>
  new OAuthError({
    operation: "get an access token",
    serverName: "server",
    correlationId,
    reason: new RequestTimeout({ endpoint: "https://auth.example.com/token", seconds: 10 })
  })

/** Grants "1", "2", ... and remembers what it was asked. */
export const makeServer = (
  options: { readonly expiresIn?: number; readonly refreshToken?: boolean } = {}
) => {
  const previous: Array<string | undefined> = []
  let running = 0
  let most = 0
  let interrupted = 0
  const server = {
    previous,
    /** Acquisitions started. */
    get count() {
      return previous.length
    },
    /** Acquisitions that ran at the same time, at most. */
    get most() {
      return most
    },
    get interrupted() {
      return interrupted
    },
    /** What to wait for before an acquisition ends. */
    gate: Effect.void as Effect.Effect<void>,
    /** What an acquisition ends with, instead of a token. */
    failure: undefined as OAuthError | undefined,
    acquire: (replaced: OAuthToken | undefined): Effect.Effect<OAuthToken, OAuthError> =>
      Effect.gen(function* () {
        previous.push(text(replaced))
        const name = String(previous.length)
        running += 1
        most = Math.max(most, running)
        yield* server.gate
        if (server.failure !== undefined) return yield* server.failure
        const now = yield* Clock.currentTimeMillis
        return tokenOf(name, {
          issuedAt: now,
          ...(options.expiresIn === undefined ? {} : { expiresAt: now + options.expiresIn * 1000 }),
          ...(options.refreshToken === true ? { refreshToken: Redacted.make(`refresh-${name}`) } : {})
        })
      }).pipe(
        Effect.onInterrupt(() => Effect.sync(() => (interrupted += 1))),
        Effect.ensuring(Effect.sync(() => (running -= 1)))
      )
  }
  return server
}

/** The leases of a store for another one: what is written with them goes there. */
export const leaseThrough =
  (leases: Store, store: () => Store): Store["lease"] =>
  (key, timeToLive) =>
    Effect.map(
      leases.lease(key, timeToLive),
      (lease) =>
        lease && {
          ...lease,
          set: (...args) => Effect.as(store().set(key, ...args), true),
          remove: () => Effect.asVoid(store().remove(key))
        }
    )

/** A store that takes nothing that is written with a lease, as long as it is away. */
export const withLeaseUnlessAway = (store: Store, isAway: () => boolean): Store => ({
  ...store,
  lease: (...args) =>
    Effect.map(
      store.lease(...args),
      (lease) =>
        lease && {
          ...lease,
          set: (...token) => Effect.suspend(() => (isAway() ? away : lease.set(...token)))
        }
    )
})

const away = Effect.fail(new StoreUnavailable({ problem: "away" }))

type Store = TokenStore["Service"]

/** Asks for the token of a server; renewed 10 s ahead unless told otherwise. */
export const requestOf = (
  server: { readonly acquire: TokenCacheRequest["acquire"] },
  options: Partial<TokenCacheRequest> = {}
): TokenCacheRequest => ({
  key: keyOf("server"),
  expiryBuffer: Duration.seconds(10),
  acquire: server.acquire,
  ...options
})

/** Writes events down. */
export const recordEvents = () => {
  const events: Array<OAuthEvent> = []
  const layer = Layer.succeed(OAuthEvents, {
    publish: (event) => Effect.sync(() => void events.push(event))
  })
  return { events, layer, tags: () => events.map(({ _tag }) => _tag) }
}

/** A gate that is shut until it is opened. */
export const makeGate = () => {
  const gate = Deferred.makeUnsafe<void>()
  return { passed: Deferred.await(gate), open: Deferred.succeed(gate, undefined) }
}
