import { endpointProblem, type GrantRequest, type OAuthErrorReason } from "@secure-mcp/oauth-core"
import { EndpointClient } from "@secure-mcp/oauth-flows"
import { fetchKeySet, findIssuerMetadata } from "@secure-mcp/oauth-flows/internal"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { Algorithm } from "../jwt/Signature.ts"
import { type IssuerKey, keysFor, readKeySet } from "./KeySet.ts"

/** What says which key signed a token. */
export interface KeyHeader {
  readonly kid: unknown
  readonly alg: string
}

/** The keys of one issuer, as long as they may be believed. */
export interface IssuerKeys {
  /**
   * The keys that may have signed a token, if they are at hand. An empty list: there is none, and it is too early to look
   * again. Undefined: ask `find`.
   */
  readonly known: (header: KeyHeader, algorithm: Algorithm) => ReadonlyArray<IssuerKey> | undefined
  /** The same, after a look at the issuer. Fails if it cannot be asked, and what is known is too old. */
  readonly find: (
    header: KeyHeader,
    algorithm: Algorithm
  ) => Effect.Effect<ReadonlyArray<IssuerKey>, KeysUnavailable>
  /** Whether a key is one of the issuer's still, and was seen there lately enough. */
  readonly isCurrent: (key: IssuerKey) => boolean
}

/** The keys of an issuer cannot be had. */
export interface KeysUnavailable {
  readonly problem: string
  /** In seconds. */
  readonly retryAfter: number
}

const second = 1000
const minute = 60 * second

/** After this time the keys are read again, in the background, when somebody uses one. */
const freshFor = 10 * minute
/** An issuer that is away does not stop everybody at once. After this time nobody is believed any more. */
const usableFor = 60 * minute
/** A token with an unknown `kid` makes us look again, and a flood of them makes us look once in this time. */
const coolDown = minute
/** Callers wait for it, with all its attempts. */
const longestLook = "10 seconds"
/** After a failure. */
const pauseAfterFailure = 5 * second

/**
 * The keys of an issuer, found through its metadata.
 *
 * @param request how the issuer is reached: `config.issuer` is the one
 */
export const makeIssuerKeys = Effect.fnUntraced(function* (
  request: GrantRequest & { readonly config: { readonly issuer: string } }
): Effect.fn.Return<IssuerKeys, never, EndpointClient | Scope.Scope> {
  const client = yield* EndpointClient
  const clock = yield* Clock.Clock
  const scope = yield* Effect.scope
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  const { issuer } = request.config

  let keys: ReadonlyArray<IssuerKey> = []
  let keyUrl: string | undefined
  let readAt = -Infinity
  let triedAt = -Infinity
  let askedForUnknownAt = -Infinity
  let failure: string | undefined
  let underWay: Deferred.Deferred<void> | undefined

  const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000

  const read = Effect.gen(function* () {
    // What the metadata says may change with the keys, so after a failure it is read again.
    const url = keyUrl ?? (yield* findKeyUrl(request))
    keyUrl = undefined
    const found = readKeySet(yield* fetchKeySet(url, request))
    keyUrl = url
    return found
  }).pipe(Effect.provideService(EndpointClient, client))

  const readNow = Effect.gen(function* () {
    triedAt = now()
    const exit = yield* Effect.exit(
      Effect.timeoutOrElse(read, {
        duration: longestLook,
        orElse: () => Effect.fail({ message: `it did not answer within ${longestLook}` })
      })
    )
    if (Exit.isSuccess(exit)) {
      keys = exit.value.map((key) => keys.find((old) => isSame(old, key)) ?? key)
      readAt = now()
      failure = undefined
    } else {
      failure = problemOf(exit)
      yield* Effect.logWarning(`The keys of the issuer ${issuer} cannot be read: ${failure}`)
    }
  })

  /** One look for all who wait, which ends with our scope and not with theirs. */
  const look = (): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (underWay !== undefined) return Deferred.await(underWay)
      const done = Deferred.makeUnsafe<void>()
      underWay = done
      const looking = readNow.pipe(
        Effect.ensuring(Effect.sync(() => (underWay = undefined))),
        Effect.ensuring(Deferred.succeed(done, undefined))
      )
      return Effect.andThen(Effect.forkIn(looking, scope), Deferred.await(done))
    })

  const isUsable = () => now() - readAt < usableFor
  const mayTry = () => failure === undefined || now() - triedAt >= pauseAfterFailure
  const mayAskForUnknown = () => mayTry() && now() - askedForUnknownAt >= coolDown

  const refreshInTime = () => {
    if (now() - readAt >= freshFor && underWay === undefined && mayTry()) runFork(look())
  }

  const known: IssuerKeys["known"] = (header, algorithm) => {
    if (!isUsable()) return undefined
    refreshInTime()
    const found = keysFor(keys, header, algorithm)
    return found.length > 0 || !mayAskForUnknown() ? found : undefined
  }

  const find: IssuerKeys["find"] = Effect.fnUntraced(function* (header, algorithm) {
    const before = known(header, algorithm)
    if (before !== undefined) return before
    if (isUsable()) askedForUnknownAt = now()
    if (mayTry() || underWay !== undefined) yield* look()
    if (isUsable()) return keysFor(keys, header, algorithm)
    const wait = Math.max(1, Math.ceil((pauseAfterFailure - (now() - triedAt)) / second))
    return yield* Effect.fail({ problem: failure ?? "they were never read", retryAfter: wait })
  })

  return {
    known,
    find,
    isCurrent: (key) => {
      refreshInTime()
      return isUsable() && keys.includes(key)
    }
  }
})

const isSame = (a: IssuerKey, b: IssuerKey): boolean =>
  a.id === b.id && a.algorithm === b.algorithm && a.key.equals(b.key)

const findKeyUrl = Effect.fnUntraced(function* (
  request: GrantRequest & { readonly config: { readonly issuer: string } }
) {
  const { issuer } = request.config
  const { jwksUri } = yield* findIssuerMetadata(issuer, request)
  if (jwksUri === undefined) return yield* Effect.fail({ message: "its metadata has no `jwks_uri`" })
  const rules = {
    ...request.config,
    enforceHttps: issuer.startsWith("https:") || request.config.enforceHttps
  }
  const problem = endpointProblem(jwksUri, rules)
  return problem === undefined ? jwksUri : yield* Effect.fail({ message: `its \`jwks_uri\` ${problem}` })
})

const problemOf = (exit: Exit.Exit<unknown, OAuthErrorReason | { readonly message: string }>): string => {
  const error = Exit.findErrorOption(exit)
  return error._tag === "Some" ? error.value.message : "an unexpected error"
}
