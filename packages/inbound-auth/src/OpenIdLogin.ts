import {
  type AuthorizationResponse,
  type OAuthConfig,
  type OAuthErrorReason,
  type OAuthHttp,
  type Proxies
} from "@secure-mcp/oauth-core"
import { EndpointClient } from "@secure-mcp/oauth-flows"
import {
  AddressGuard,
  type BrowserAuthorization,
  BrowserAuthorizations,
  findIssuerMetadata,
  nonceOf
} from "@secure-mcp/oauth-flows/internal"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Caller } from "./Callers.ts"
import { type IdTokenClaims, readIdToken } from "./jwt/IdToken.ts"
import { type ParsedToken, parseToken } from "./jwt/ParsedToken.ts"
import { algorithmOf, isSignedBy } from "./jwt/Signature.ts"
import { makeIssuerKeys } from "./keys/IssuerKeys.ts"

/** An OpenID provider at which people log in with a browser. */
export interface OpenIdProvider {
  /** Our client there: `issuer` is the provider, and `scope` holds `openid`. Without `client_id` one is registered (RFC 7591). */
  readonly config: OAuthConfig & { readonly issuer: string }
  /** The claim with the person's name. Default `sub`. */
  readonly subjectClaim?: string | undefined
  /** The claim with the person's groups. Default `groups`. */
  readonly groupsClaim?: string | undefined
}

/** Options of `OpenIdLogin`. */
export interface OpenIdLoginOptions {
  /** The timeout of each request to the provider, in seconds. Default 10. */
  readonly timeoutSeconds?: number | undefined
  /** The proxies between us and the provider. Default: none. */
  readonly proxies?: Proxies | undefined
  /** The `User-Agent` of our requests to it. */
  readonly userAgent?: string | undefined
}

/** One login of one browser. */
export interface BrowserLogin {
  /** Where the provider sends the browser back to. */
  readonly redirectUri: string
  /** 256 random bits, base64url, that only this browser has, in a cookie. Use it for one login. */
  readonly secret: Redacted.Redacted
}

/** How a login is begun. */
export interface LoginWishes {
  /** "none": only if nobody has to do anything for it. "login": the person logs in anew, perhaps as another. */
  readonly prompt?: "none" | "login" | undefined
  /** Scopes that are asked for besides those of the configuration. */
  readonly scopes?: ReadonlyArray<string> | undefined
}

/** Why nobody has logged in. */
export class OpenIdLoginFailed extends Schema.TaggedError<OpenIdLoginFailed>()("OpenIdLoginFailed", {
  reason: Schema.Literals([
    /** With `prompt=none`: the person has to do something. Begin again without it. */
    "PersonRequired",
    /** The person, or the provider, refused. */
    "Denied",
    /** What came back is not the answer to this login, or is wrong. */
    "Invalid",
    /** The provider cannot be asked now, or not as it is configured. */
    "Unavailable"
  ]),
  /** A sentence. Parts may be words of the provider. */
  problem: Schema.String
}) {
  override get message(): string {
    return this.problem
  }
}

/** How people log in at a provider. */
export interface OpenIdLogin {
  readonly issuer: string
  /**
   * Whether its metadata says that people can log in there, and that we have a client or may register one. Fails if it
   * cannot be asked.
   */
  readonly isOffered: Effect.Effect<boolean, OpenIdLoginFailed>
  /** The URL at which the browser logs in (OpenID Connect Core §3.1.2.1). */
  readonly begin: (login: BrowserLogin, wishes?: LoginWishes) => Effect.Effect<string, OpenIdLoginFailed>
  /** Who has logged in: the parameters that came back are exchanged for an ID token, which is checked. */
  readonly complete: (
    login: BrowserLogin,
    response: AuthorizationResponse
  ) => Effect.Effect<Caller, OpenIdLoginFailed>
}

/**
 * Logins of browsers at an OpenID provider (OpenID Connect Core §3.1), with a code, PKCE and a `nonce`. Nothing is remembered of a
 * login that was begun, so no stranger fills a memory, and any process may complete it.
 *
 * @example
 * ```ts
 * import { makeOpenIdLogin } from "@secure-mcp/inbound-auth"
 * import { type OAuthConfig } from "@secure-mcp/oauth-core"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const loginUrl = Effect.fnUntraced(function* (config: OAuthConfig & { readonly issuer: string }, secret: string) {
 *   const login = yield* makeOpenIdLogin({ config })
 *   return yield* login.begin({
 *     redirectUri: "https://gw.example.com/login/callback",
 *     secret: Redacted.make(secret)
 *   })
 * })
 * ```
 */
export const makeOpenIdLogin = Effect.fnUntraced(function* (
  { config, groupsClaim = "groups", subjectClaim = "sub" }: OpenIdProvider,
  { timeoutSeconds = 10, ...connection }: OpenIdLoginOptions = {}
): Effect.fn.Return<OpenIdLogin, never, OAuthHttp | Scope.Scope> {
  const { issuer } = config
  const timeout = `${timeoutSeconds} seconds` as const
  const request = { serverName: "gateway", correlationId: "", ...connection, config }
  const services = yield* Layer.build(
    Layer.merge(
      BrowserAuthorizations.layer(timeout),
      EndpointClient.layer(timeout).pipe(Layer.provide(AddressGuard.layer))
    )
  )
  const keys = yield* makeIssuerKeys(request).pipe(Effect.provide(services))
  const authorizations = yield* Effect.provide(BrowserAuthorizations, services)
  const authorizationOf = (
    { redirectUri, secret }: BrowserLogin,
    scopes: ReadonlyArray<string> = []
  ): BrowserAuthorization => ({
    request:
      scopes.length === 0
        ? request
        : { ...request, config: { ...config, scope: [config.scope ?? "openid", ...scopes].join(" ") } },
    redirectUri,
    secret
  })

  const checkSignature = Effect.fnUntraced(function* (parsed: ParsedToken) {
    const { alg, crit, kid }: Partial<Record<string, unknown>> = parsed.header
    const algorithm = algorithmOf(alg)
    if (algorithm === undefined || typeof alg !== "string" || crit !== undefined)
      return yield* invalid("The ID token is signed in a way that is not accepted here (`alg`, `crit`)")
    const found = yield* keys.find({ kid, alg }, algorithm).pipe(
      Effect.mapError(
        ({ problem }) =>
          new OpenIdLoginFailed({
            reason: "Unavailable",
            problem: `The keys of ${issuer} cannot be read: ${problem}`
          })
      )
    )
    if (!found.some(({ key }) => isSignedBy(parsed, algorithm, key)))
      return yield* invalid("The signature of the ID token is wrong, or its key is none of the provider's")
  })

  return {
    issuer,

    isOffered: findIssuerMetadata(issuer, request).pipe(
      Effect.map(
        ({ authorizationEndpoint, idTokenSigningAlgorithms, registrationEndpoint }) =>
          authorizationEndpoint !== undefined &&
          idTokenSigningAlgorithms !== undefined &&
          (config.clientId !== undefined || registrationEndpoint !== undefined)
      ),
      Effect.mapError(failureOf),
      Effect.provide(services)
    ),

    begin: (login, { prompt, scopes } = {}) =>
      authorizations
        .begin(authorizationOf(login, scopes), {
          nonce: nonceOf(login.secret),
          ...(prompt === undefined ? {} : { prompt })
        })
        // Nobody has done anything yet, so whatever is wrong is ours or the provider's.
        .pipe(
          Effect.mapError(({ message }) => new OpenIdLoginFailed({ reason: "Unavailable", problem: message }))
        ),

    complete: Effect.fnUntraced(function* (login, response) {
      const { clientId, fields } = yield* authorizations
        .redeem(authorizationOf(login), response)
        .pipe(Effect.mapError(failureOf))
      const { id_token: idToken, scope } = fields
      if (!Predicate.isString(idToken))
        return yield* invalid(
          "The provider gave no ID token: the scope of the login must hold `openid`, and the provider must know OpenID Connect"
        )
      const parsed = parseToken(idToken)
      if (Result.isFailure(parsed))
        return yield* invalid(`What the provider gave as an ID token is none: ${parsed.failure}`)
      yield* checkSignature(parsed.success)
      const expected = {
        issuer,
        clientId,
        nonce: nonceOf(login.secret),
        now: yield* Clock.currentTimeMillis,
        subjectClaim,
        groupsClaim
      }
      const claims = readIdToken(parsed.success.claims, expected)
      if (Result.isFailure(claims)) return yield* invalid(claims.failure)
      return callerOf(issuer, claims.success, scope)
    })
  }
})

/** What the provider does not say that it has granted does not count. */
const callerOf = (issuer: string, { groups, subject }: IdTokenClaims, scope: unknown): Caller => ({
  issuer,
  subject,
  groups,
  scopes: Predicate.isString(scope) ? scope.split(" ").filter((name) => name !== "") : []
})

const invalid = (problem: string) => Effect.fail(new OpenIdLoginFailed({ reason: "Invalid", problem }))

/** OpenID Connect Core §3.1.2.6: what comes of `prompt=none` when the person has to do something. */
const needPerson: ReadonlySet<string> = new Set([
  "login_required",
  "interaction_required",
  "consent_required",
  "account_selection_required"
])

const failureOf = (reason: OAuthErrorReason): OpenIdLoginFailed =>
  new OpenIdLoginFailed({
    reason:
      reason._tag === "AuthorizationDenied"
        ? needPerson.has(reason.error)
          ? "PersonRequired"
          : "Denied"
        : reason._tag === "AuthorizationResponseInvalid" || reason._tag === "RequestRefused"
          ? "Invalid"
          : "Unavailable",
    problem: reason.message
  })
