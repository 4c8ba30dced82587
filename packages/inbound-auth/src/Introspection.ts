import {
  endpointProblem,
  type GrantRequest,
  Misconfigured,
  type OAuthErrorReason,
  type OAuthHttp,
  type Proxies
} from "@secure-mcp/oauth-core"
import {
  type Client,
  configuredEndpoint,
  discoveredEndpoint,
  type Endpoint,
  EndpointClient,
  readSuccessFields,
  type ResponseFields
} from "@secure-mcp/oauth-flows"
import { AddressGuard, configuredClient, findIssuerMetadata } from "@secure-mcp/oauth-flows/internal"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { admitCaller } from "./Admission.ts"
import { bearerTokenOf } from "./BearerToken.ts"
import { CallerRefused } from "./CallerRefused.ts"
import { issuerConfig } from "./IssuerConfig.ts"
import { type Caller, type CallerMethod, Callers, type InboundRequest } from "./Callers.ts"
import { readClaims, type TokenClaims } from "./jwt/Claims.ts"
import { makeRemembered } from "./RememberedCallers.ts"

/** An issuer that is asked about each token. */
export interface IntrospectingIssuer {
  /** https, or http on a loopback host. */
  readonly issuer: string
  /** Where it is asked. Default: what its metadata says. */
  readonly introspectionUrl?: string | undefined
  /** Our client there. */
  readonly clientId: string
  readonly clientSecret: Redacted.Redacted
  /** What the `aud` of its answers must hold. Default: the URL of what is asked. */
  readonly audience?: string | undefined
  /** Scopes that each token must have. */
  readonly requiredScopes?: ReadonlyArray<string> | undefined
  /** The member with the caller's name. Default `sub`. */
  readonly subjectClaim?: string | undefined
  /** The member with the caller's groups. Default `groups`. */
  readonly groupsClaim?: string | undefined
  /** PEM file with the authorities trusted for the issuer, in place of the system's. */
  readonly caBundlePath?: string | undefined
}

/** Options of `Introspection`. */
export interface IntrospectionOptions {
  /** How many tokens are remembered, valid ones and others. Default 10,000. */
  readonly rememberedTokens?: number | undefined
  /** The proxies between us and the issuer. Default: none. */
  readonly proxies?: Proxies | undefined
  /** The `User-Agent` of our requests to it. */
  readonly userAgent?: string | undefined
}

/** How long an answer counts, in milliseconds: a token that was revoked is accepted no longer than this (RFC 7662 §4). */
const answerCounts = 30_000

const timeout = "10 seconds"

/** Questions under way. A stranger can make up tokens, and each is a question. */
const mostQuestions = 64

/** What an issuer said of a token. */
interface Known {
  /** Undefined for one that is not active. */
  readonly found: { readonly caller: Caller; readonly claims: TokenClaims } | undefined
  readonly until: number
}

/** Access tokens that only their issuer can judge: it is asked about each (RFC 7662), and its answer counts for 30 seconds. */
const method = Effect.fnUntraced(function* (
  issuer: IntrospectingIssuer,
  { rememberedTokens = 10_000, ...connection }: IntrospectionOptions = {}
): Effect.fn.Return<CallerMethod, Misconfigured, OAuthHttp | Scope.Scope> {
  const clock = yield* Clock.Clock
  const request: GrantRequest = {
    serverName: "gateway",
    correlationId: "",
    ...connection,
    config: yield* configFor(issuer)
  }
  const services = yield* Layer.build(EndpointClient.layer(timeout).pipe(Layer.provide(AddressGuard.layer)))
  const scope = yield* Effect.scope
  const remembered = makeRemembered<Known>(rememberedTokens)
  const underWay = new Map<string, Deferred.Deferred<Known, CallerRefused>>()
  const { issuer: name, requiredScopes = [] } = issuer
  const needed = requiredScopes.join(" ")
  const invalid = (problem: string) => CallerRefused.invalid(problem, needed)

  const admit = ({ found }: Known, request: InboundRequest): Result.Result<Caller, CallerRefused> =>
    found === undefined
      ? Result.fail(invalid("The token is not valid, or has ended"))
      : admitCaller(found, request, issuer, invalid)

  const judge = Effect.fnUntraced(function* (token: string, fields: ResponseFields) {
    const now = clock.currentTimeMillisUnsafe()
    const until = now + answerCounts
    if (fields["active"] !== true) return { found: undefined, until }
    if (fields["iss"] !== undefined && fields["iss"] !== name)
      return yield* invalid("The token is of another issuer than the one that was asked")
    const { groupsClaim = "groups", subjectClaim = "sub" } = issuer
    // A token without an end ends when its answer does.
    const claims = readClaims({ exp: Math.ceil(until / 1000), ...fields }, { groupsClaim, subjectClaim })
    if (Result.isFailure(claims)) return yield* invalid(claims.failure)
    const { expiresAt, groups, scopes, subject } = claims.success
    const caller: Caller = {
      issuer: name,
      subject,
      scopes,
      groups,
      ...(fields["exp"] === undefined ? {} : { expiresAt }),
      token: Redacted.make(token)
    }
    return { found: { caller, claims: claims.success }, until: Math.min(until, expiresAt) }
  })

  let place: Place | undefined

  const introspect = Effect.fnUntraced(function* (token: string) {
    place ??= yield* findPlace(request, issuer)
    const { client, endpoint } = place
    const parameters = { token: Redacted.make(token), token_type_hint: "access_token" }
    return yield* (yield* EndpointClient).post(
      { request, endpoint, client, parameters },
      readSuccessFields(endpoint)
    )
  })

  const ask = (token: string) =>
    introspect(token).pipe(
      // The issuer may have moved.
      Effect.tapError(() => Effect.sync(() => (place = undefined))),
      Effect.provide(services),
      Effect.mapError(
        ({ message }) =>
          new CallerRefused({
            reason: "IssuerUnavailable",
            problem: `The issuer cannot be asked about the token: ${message}`,
            retryAfterSeconds: 5
          })
      ),
      Effect.flatMap((fields) => judge(token, fields)),
      Effect.tap((known) => Effect.sync(() => remembered.put(token, known))),
      Effect.tapError(({ message, reason }) =>
        reason === "IssuerUnavailable" ? Effect.logWarning(message) : Effect.void
      )
    )

  /** One question for all who wait. It goes on when they leave, and ends with our scope. */
  const askOnce = (token: string): Effect.Effect<Known, CallerRefused> =>
    Effect.suspend(() => {
      const before = underWay.get(token)
      if (before !== undefined) return Deferred.await(before)
      if (underWay.size >= mostQuestions) return Effect.fail(tooManyQuestions)
      const answer = Deferred.makeUnsafe<Known, CallerRefused>()
      underWay.set(token, answer)
      const asking = Deferred.into(ask(token), answer).pipe(
        Effect.ensuring(Effect.sync(() => underWay.delete(token)))
      )
      return Effect.andThen(Effect.forkIn(asking, scope), Deferred.await(answer))
    })

  return {
    identify: (request) => {
      const token = bearerTokenOf(request.authorization)
      if (token === undefined) return undefined
      const known = remembered.get(token)
      if (known !== undefined && clock.currentTimeMillisUnsafe() < known.until) return admit(known, request)
      return Effect.flatMap(askOnce(token), (asked) => Effect.fromResult(admit(asked, request)))
    },
    refuse: ({ authorization }) =>
      authorization === undefined
        ? CallerRefused.required("This gateway wants an access token as Authorization: Bearer", needed)
        : invalid("The Authorization header must be one access token: Bearer TOKEN")
  }
})

const tooManyQuestions = new CallerRefused({
  reason: "IssuerUnavailable",
  problem: `The issuer is being asked about ${mostQuestions} tokens already`,
  retryAfterSeconds: 1
})

const configFor = ({ clientId, clientSecret, ...issuer }: IntrospectingIssuer) =>
  Effect.fromResult(
    issuerConfig(issuer, { client_id: clientId, client_secret: Redacted.value(clientSecret) })
  ).pipe(Effect.mapError(({ message }) => new Misconfigured({ problem: message })))

/** Where an issuer is asked, and as whom. */
interface Place {
  readonly endpoint: Endpoint
  readonly client: Client
}

const findPlace = Effect.fnUntraced(function* (
  request: GrantRequest,
  { introspectionUrl, issuer }: IntrospectingIssuer
): Effect.fn.Return<Place, OAuthErrorReason, EndpointClient> {
  const metadata = introspectionUrl === undefined ? yield* findIssuerMetadata(issuer, request) : undefined
  const url = introspectionUrl ?? metadata?.introspectionEndpoint
  if (url === undefined)
    return yield* new Misconfigured({
      problem: `the metadata of ${issuer} has no \`introspection_endpoint\``
    })
  const problem = endpointProblem(url, request.config)
  if (problem !== undefined)
    return yield* new Misconfigured({ problem: `the introspection endpoint of ${issuer} ${problem}` })
  const methods = metadata?.introspectionEndpointAuthMethodsSupported
  const supported = methods === undefined ? undefined : { tokenEndpointAuthMethodsSupported: methods }
  return {
    endpoint:
      introspectionUrl === undefined
        ? discoveredEndpoint("introspection", url)
        : configuredEndpoint("introspection", url),
    client: yield* configuredClient(request.config, issuer, supported)
  }
})

/**
 * Callers with an access token that its issuer is asked about (RFC 7662).
 *
 * @example
 * ```ts
 * import { Introspection } from "@secure-mcp/inbound-auth"
 * import { OAuthHttp } from "@secure-mcp/oauth-core"
 * import * as FetchHttpClient from "effect/http/FetchHttpClient"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * export const CallersLive = Introspection.layer({
 *   issuer: "https://login.example.com",
 *   clientId: "gateway",
 *   clientSecret: Redacted.make("from-a-safe-place")
 * }).pipe(Layer.provide(OAuthHttp.layer), Layer.provide(FetchHttpClient.layer))
 * ```
 */
export const Introspection = {
  method,
  layer: (
    issuer: IntrospectingIssuer,
    options?: IntrospectionOptions
  ): Layer.Layer<Callers, Misconfigured, OAuthHttp> => Callers.layerOf([method(issuer, options)])
}
