import {
  type ClientRegistration,
  type GrantedClient,
  OAuthToken,
  RegisteredClients,
  type StoreUnavailable,
  type TokenKey
} from "@secure-mcp/oauth-core"
import { isSecretValid } from "@secure-mcp/oauth-core/internal"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { acquireLease } from "./acquisition/RefreshLock.ts"
import { orWarn, readQuietly, readStore } from "./acquisition/StoreAccess.ts"
import { isRegisteredClientKey, registeredClientKey } from "./store/RegisteredClientKey.ts"
import { type StoreEntry, tokenOfEntry } from "./store/StoreEntry.ts"
import type { TokenLease } from "./store/TokenLease.ts"
import { TokenStore } from "./store/TokenStore.ts"

/**
 * `RegisteredClients` in the `TokenStore`, encrypted as its tokens are: one client for all logins of all processes that
 * share the store, and after a restart. Two processes register once, because they do it under the lease of a token.
 *
 * @example
 * ```ts
 * import { OAuthFlows } from "@secure-mcp/oauth-flows"
 * import { FileTokenStore, StoredRegisteredClients } from "@secure-mcp/token-cache"
 * import * as Layer from "effect/Layer"
 *
 * const store = FileTokenStore.layer({ directory: "/var/lib/gateway/tokens" })
 * export const grants = OAuthFlows.layer.pipe(Layer.provide(StoredRegisteredClients.layer), Layer.provide(store))
 * ```
 */
export const StoredRegisteredClients = {
  /** A store that takes no such client leaves it in memory. */
  layer: Layer.effect(
    RegisteredClients,
    Effect.suspend(() => make)
  ).pipe(Layer.provide(RegisteredClients.layerMemory)) satisfies Layer.Layer<
    RegisteredClients,
    never,
    TokenStore
  >
}

/** Some redirect URIs are used once, such as those with a free port: their clients are not stored for ever. */
const longestLife = Duration.days(90)

const make = Effect.gen(function* () {
  const store = yield* TokenStore
  // Has only those clients that the store does not have.
  const memory = yield* RegisteredClients

  const obtain: RegisteredClients["Service"]["obtain"] = Effect.fn("StoredRegisteredClients.obtain")(
    function* (registration, register) {
      const key = registeredClientKey(registration)
      const registerInMemory = memory.obtain(registration, register)
      const reading = yield* readStore(store, key)
      if (reading._tag === "Unread" || reading.entry._tag === "NotStorable") return yield* registerInMemory
      const known = yield* validClient(reading.entry)
      if (known !== undefined) return known
      const overtaken = Effect.flatMap(readQuietly(store, key), validClient)
      return yield* Effect.scoped(
        Effect.gen(function* () {
          const turn = yield* orWarn("locked")(acquireLease(store, key, overtaken))
          if (turn === undefined) return yield* registerInMemory
          if (turn._tag === "Overtaken") return turn.result
          const found = yield* validClient(turn.lease.found)
          return found ?? (yield* registerAndStore(registration, registerInMemory, turn.lease))
        })
      )
    }
  )

  /** A client that was registered is stored, also when nobody waits any more. */
  const registerAndStore = (
    registration: ClientRegistration,
    register: ReturnType<RegisteredClients["Service"]["obtain"]>,
    lease: TokenLease
  ) =>
    Effect.gen(function* () {
      const client = yield* register
      const now = yield* Clock.currentTimeMillis
      const isStored = yield* orWarn("written")(lease.set(recordOf(client, now), lifeOf(client, now)))
      if (isStored === true) yield* memory.forget(registration.issuer, client.clientId)
      return client
    }).pipe(Effect.uninterruptible)

  const forget = Effect.fn("StoredRegisteredClients.forget")(function* (issuer: string, clientId: string) {
    yield* memory.forget(issuer, clientId)
    const stored = (yield* orWarn("read")(store.list)) ?? []
    const keys = stored.filter(
      ({ key, token }) => isRegisteredClientKey(key) && isClient(token, issuer, clientId)
    )
    yield* Effect.forEach(keys, ({ key, token }) => orWarn("written")(removeUnchanged(key, token)), {
      discard: true
    })
  })

  /** Another process may have replaced the client meanwhile. */
  const removeUnchanged = (key: TokenKey, token: OAuthToken): Effect.Effect<void, StoreUnavailable> =>
    Effect.gen(function* () {
      const turn = yield* acquireLease(store, key, Effect.undefined)
      if (turn._tag === "Leased") yield* turn.lease.remove(token)
    }).pipe(Effect.scoped)

  return RegisteredClients.of({ obtain, forget })
})

/** The client in place of a token; its id tells it from another one. */
const recordOf = (client: GrantedClient, now: number): OAuthToken =>
  new OAuthToken({
    accessToken: Redacted.make(client.clientId),
    tokenType: "Bearer",
    issuedAt: now,
    reusable: false,
    grantedTo: client
  })

const lifeOf = ({ clientSecretExpiresAt }: GrantedClient, now: number): Duration.Duration =>
  Duration.millis(Math.min((clientSecretExpiresAt ?? Infinity) - now, Duration.toMillis(longestLife)))

const validClient = (entry: StoreEntry | undefined): Effect.Effect<GrantedClient | undefined> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const client = entry === undefined ? undefined : tokenOfEntry(entry)?.grantedTo
    return client !== undefined && isSecretValid(client, now) ? client : undefined
  })

const isClient = ({ grantedTo }: OAuthToken, issuer: string, clientId: string): boolean =>
  grantedTo?.issuer === issuer && grantedTo.clientId === clientId
