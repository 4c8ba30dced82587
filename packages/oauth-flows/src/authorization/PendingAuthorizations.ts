import type { GrantRequest } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { Pkce } from "./Pkce.ts"
import type { GrantTarget } from "../resolution/GrantTarget.ts"

/** An authorization request without a response yet, and what is needed to check the response. */
export interface PendingAuthorization {
  readonly request: GrantRequest
  /** The server that was asked: the code goes to its token endpoint and to no other (RFC 9700 §4.4.2). */
  readonly target: GrantTarget
  readonly redirectUri: string
  readonly pkce: Pkce | undefined
  readonly state: Redacted.Redacted
  /** The requested scope. */
  readonly scope: string | undefined
  readonly authorizationUrl: string
}

/** How long a person has for a login. */
export const lifetime = Duration.minutes(10)
/** A person who asks again within this time gets the same URL, and has as long again to use it. */
const reuse = Duration.minutes(5)
/** The oldest is evicted, so that logins which are never completed cannot fill the memory. */
const capacity = 1000
/** For one person and server, whose demands for scope may differ each time: nobody evicts the logins of others. */
const capacityForPerson = 10

/**
 * The pending authorization requests by their `state`. Only a digest of the state is compared, so that timing reveals
 * nothing about it. They live in this process; `SharedAuthorizations` lets others complete them.
 */
export class PendingAuthorizations extends Context.Service<
  PendingAuthorizations,
  {
    /** One that was begun for the same request and redirect URI within the last five minutes. */
    readonly findRecent: (
      request: GrantRequest,
      redirectUri: string
    ) => Effect.Effect<PendingAuthorization | undefined>
    readonly add: (pending: PendingAuthorization) => Effect.Effect<void>
    readonly find: (state: string) => Effect.Effect<PendingAuthorization | undefined>
    /** Removes one. False if it was removed before. */
    readonly take: (pending: PendingAuthorization) => Effect.Effect<boolean>
  }
>()("@secure-mcp/oauth-flows/PendingAuthorizations") {
  static readonly layer: Layer.Layer<PendingAuthorizations> = Layer.effect(
    PendingAuthorizations,
    Effect.suspend(() => make)
  ).pipe(Layer.provide(Digest.layerWebCrypto))
}

interface Entry {
  readonly pending: PendingAuthorization
  readonly owner: string
  /** Milliseconds since the epoch. */
  readonly begunAt: number
}

const make = Effect.gen(function* () {
  const digest = yield* Digest.Digest
  // Maps keep the order of insertion: the oldest is the first.
  const entries = new Map<string, Entry>()

  const idOf = (state: string) => digest.digestHex(Digest.sha256, new TextEncoder().encode(state))

  const dropExpired = Effect.map(Clock.currentTimeMillis, (now) => {
    for (const [id, { begunAt }] of entries) {
      if (now - begunAt < Duration.toMillis(lifetime)) break
      entries.delete(id)
    }
    return now
  })

  return PendingAuthorizations.of({
    findRecent: (request, redirectUri) =>
      Effect.map(dropExpired, (now) => {
        const owner = ownerOf(request, redirectUri)
        const isSame = (entry: Entry) =>
          entry.owner === owner &&
          entry.pending.request.config === request.config &&
          now - entry.begunAt < Duration.toMillis(reuse)
        return [...entries.values()].find(isSame)?.pending
      }),

    add: Effect.fnUntraced(function* (pending) {
      const id = yield* idOf(Redacted.value(pending.state))
      const begunAt = yield* dropExpired
      // A configured state may be there already. It is inserted again as the newest.
      entries.delete(id)
      const { serverName, subject } = pending.request
      const ofPerson = [...entries].filter(
        ([, { pending: other }]) =>
          other.request.serverName === serverName && other.request.subject === subject
      )
      const [oldestOfPerson] = ofPerson
      if (ofPerson.length >= capacityForPerson && oldestOfPerson !== undefined)
        entries.delete(oldestOfPerson[0])
      entries.set(id, { pending, owner: ownerOf(pending.request, pending.redirectUri), begunAt })
      const [oldest] = entries.keys()
      if (entries.size > capacity && oldest !== undefined) entries.delete(oldest)
    }),

    find: Effect.fnUntraced(function* (state) {
      const id = yield* idOf(state)
      yield* dropExpired
      return entries.get(id)?.pending
    }),

    take: (pending) =>
      Effect.map(idOf(Redacted.value(pending.state)), (id) =>
        entries.get(id)?.pending === pending ? entries.delete(id) : false
      )
  })
})

const ownerOf = (request: GrantRequest, redirectUri: string): string =>
  JSON.stringify([
    request.projectId,
    request.configId,
    request.serverName,
    request.subject,
    request.resourceUrl,
    request.challenge?.scope,
    request.challenge?.resourceMetadata,
    redirectUri
  ])
