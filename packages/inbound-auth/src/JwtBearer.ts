import { type GrantRequest, type OAuthHttp, type Proxies } from "@secure-mcp/oauth-core"
import { EndpointClient } from "@secure-mcp/oauth-flows"
import { AddressGuard } from "@secure-mcp/oauth-flows/internal"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { admitCaller } from "./Admission.ts"
import { bearerTokenOf, credentialOf } from "./BearerToken.ts"
import { CallerRefused } from "./CallerRefused.ts"
import { issuerConfig } from "./IssuerConfig.ts"
import { type Caller, type CallerMethod, Callers, type InboundRequest } from "./Callers.ts"
import { clockSkew, readClaims, type TokenClaims } from "./jwt/Claims.ts"
import { parseToken, type ParsedToken } from "./jwt/ParsedToken.ts"
import { type Algorithm, algorithmOf, isSignedBy } from "./jwt/Signature.ts"
import { type IssuerKeys, type KeyHeader, makeIssuerKeys } from "./keys/IssuerKeys.ts"
import type { IssuerKey } from "./keys/KeySet.ts"
import { makeRemembered } from "./RememberedCallers.ts"

/** An issuer whose access tokens are accepted. */
export interface JwtIssuer {
  /** As in the `iss` of its tokens, character by character. https, or http on a loopback host. */
  readonly issuer: string
  /** What the `aud` of its tokens must hold. Default: the URL of what is asked. */
  readonly audience?: string | undefined
  /** Scopes that each token must have. */
  readonly requiredScopes?: ReadonlyArray<string> | undefined
  /** The claim with the caller's name. Default `sub`. */
  readonly subjectClaim?: string | undefined
  /** The claim with the caller's groups. Default `groups`. */
  readonly groupsClaim?: string | undefined
  /** PEM file with the authorities trusted for the issuer, in place of the system's. */
  readonly caBundlePath?: string | undefined
}

/** Options of `JwtBearer`. */
export interface JwtBearerOptions {
  /** How many tokens are remembered, so that their signatures are not computed again. Default 10,000. */
  readonly rememberedTokens?: number | undefined
  /** The proxies between us and the issuers. Default: none. */
  readonly proxies?: Proxies | undefined
  /** The `User-Agent` of our requests to them. */
  readonly userAgent?: string | undefined
}

/** The timeout of each request to an issuer, in seconds. */
const timeout = "10 seconds"

interface Issuer extends JwtIssuer {
  readonly keys: IssuerKeys
}

/** A token whose signature was right. */
interface Verified {
  readonly claims: TokenClaims
  readonly caller: Caller
  readonly issuer: Issuer
  readonly key: IssuerKey
}

/**
 * JWT access tokens of some issuers (RFC 9068, RFC 8725). Their keys are found through the issuer's metadata, and read again
 * when one is unknown.
 */
const method = Effect.fnUntraced(function* (
  issuers: ReadonlyArray<JwtIssuer>,
  { rememberedTokens = 10_000, ...connection }: JwtBearerOptions = {}
): Effect.fn.Return<CallerMethod, never, OAuthHttp | Scope.Scope> {
  const clock = yield* Clock.Clock
  const services = yield* Layer.build(EndpointClient.layer(timeout).pipe(Layer.provide(AddressGuard.layer)))
  const known = new Map<unknown, Issuer>()
  for (const issuer of issuers) {
    const keys = yield* makeIssuerKeys(requestFor(issuer, connection)).pipe(Effect.provide(services))
    known.set(issuer.issuer, { ...issuer, keys })
  }
  const allScopes = [...new Set(issuers.flatMap(({ requiredScopes = [] }) => requiredScopes))].join(" ")
  const remembered = makeRemembered<Verified>(rememberedTokens)
  const invalid = (problem: string) => CallerRefused.invalid(problem, allScopes)

  /** What depends on the time and on what is asked, and so is looked at for each request. */
  const admit = (verified: Verified, request: InboundRequest): Result.Result<Caller, CallerRefused> => {
    const { claims, issuer } = verified
    const now = clock.currentTimeMillisUnsafe()
    if (now >= claims.expiresAt + clockSkew) return Result.fail(invalid("The token has expired"))
    if (now < claims.validFrom - clockSkew)
      return Result.fail(invalid("The token is not valid yet: its `nbf` or `iat` lies in the future"))
    return admitCaller(verified, request, issuer, invalid)
  }

  const verify = (
    token: string,
    { issuer, parsed, algorithm, claims }: Judged,
    keys: ReadonlyArray<IssuerKey>
  ): Result.Result<Verified, CallerRefused> => {
    if (keys.length === 0)
      return Result.fail(invalid("The token is signed with a key that its issuer does not have"))
    const key = keys.find(({ key }) => isSignedBy(parsed, algorithm, key))
    if (key === undefined) return Result.fail(invalid("The signature of the token is wrong"))
    const { expiresAt, groups, scopes, subject } = claims
    const caller: Caller = {
      issuer: issuer.issuer,
      subject,
      scopes,
      groups,
      expiresAt,
      token: Redacted.make(token)
    }
    const verified = { claims, caller, issuer, key }
    remembered.put(token, verified)
    return Result.succeed(verified)
  }

  const identify: CallerMethod["identify"] = (request) => {
    const token = bearerTokenOf(request.authorization)
    if (token === undefined) return undefined
    const before = remembered.get(token)
    if (before !== undefined) {
      if (before.issuer.keys.isCurrent(before.key)) return admit(before, request)
      remembered.forget(token)
    }
    const judged = judge(token, known)
    // Somebody else may know the issuer.
    if (judged === undefined) return undefined
    if (Result.isFailure(judged)) return Result.fail(invalid(judged.failure))
    const { algorithm, header, issuer } = judged.success
    const finish = (keys: ReadonlyArray<IssuerKey>) =>
      Result.flatMap(verify(token, judged.success, keys), (verified) => admit(verified, request))
    const keys = issuer.keys.known(header, algorithm)
    if (keys !== undefined) return finish(keys)
    return issuer.keys.find(header, algorithm).pipe(
      Effect.mapError(
        ({ problem, retryAfter }) =>
          new CallerRefused({
            reason: "IssuerUnavailable",
            problem: `The keys of the token's issuer cannot be read: ${problem}`,
            retryAfterSeconds: retryAfter
          })
      ),
      Effect.flatMap((found) => Effect.fromResult(finish(found)))
    )
  }

  return { identify, refuse: (request) => withoutIssuer(request, allScopes) }
})

const withoutIssuer = ({ authorization }: InboundRequest, scope: string) => {
  const credential = credentialOf(authorization)
  if (credential._tag === "None")
    return CallerRefused.required("This gateway wants an access token as Authorization: Bearer", scope)
  if (credential._tag === "Other")
    return CallerRefused.invalid("The Authorization header must be one access token: Bearer TOKEN", scope)
  const parsed = parseToken(credential.token)
  return CallerRefused.invalid(
    Result.isFailure(parsed)
      ? parsed.failure
      : "The token is of an issuer that this gateway does not know: its `iss` must be one of `gateway.callers`",
    scope
  )
}

/** A token that may be right: only its signature is not looked at yet. */
interface Judged {
  readonly parsed: ParsedToken
  readonly header: KeyHeader
  readonly algorithm: Algorithm
  readonly issuer: Issuer
  readonly claims: TokenClaims
}

/** Undefined for a token of another issuer, and for what is no token of this form. */
const judge = (
  token: string,
  issuers: ReadonlyMap<unknown, Issuer>
): Result.Result<Judged, string> | undefined => {
  const parsed = parseToken(token)
  const issuer = Result.isSuccess(parsed) ? issuers.get(parsed.success.claims["iss"]) : undefined
  return Result.isSuccess(parsed) && issuer !== undefined ? judgeParts(parsed.success, issuer) : undefined
}

const judgeParts = (parsed: ParsedToken, issuer: Issuer): Result.Result<Judged, string> => {
  const { alg, b64, crit, kid, typ }: Partial<Record<string, unknown>> = parsed.header
  const algorithm = algorithmOf(alg)
  if (algorithm === undefined || typeof alg !== "string") return Result.fail(unknownAlgorithm(alg))
  if (crit !== undefined || b64 !== undefined)
    return Result.fail("The header of the token demands an extension (`crit`, `b64`) that nobody here knows")
  if (kid !== undefined && typeof kid !== "string") return Result.fail("The `kid` of the token is not a text")
  if (!isAccessTokenType(typ))
    return Result.fail("The `typ` of the token is not that of an access token (at+jwt, or JWT)")
  const { groupsClaim = "groups", subjectClaim = "sub" } = issuer
  return Result.map(readClaims(parsed.claims, { groupsClaim, subjectClaim }), (claims) => ({
    parsed,
    header: { kid, alg },
    algorithm,
    issuer,
    claims
  }))
}

const unknownAlgorithm = (alg: unknown): string => {
  if (alg === "none") return "The token is not signed (`alg` is none)"
  return typeof alg === "string" && /^HS\d+$/.test(alg)
    ? "The token is signed with a shared secret (`alg` HS256 and its like), so anybody who knows that could have written it"
    : "The token is signed with an algorithm (`alg`) that is not accepted here"
}

/** RFC 9068 §2.1; most providers write JWT or nothing. What is for something else says so (RFC 8725 §3.11). */
const isAccessTokenType = (typ: unknown): boolean =>
  typ === undefined || (typeof typ === "string" && /^(?:application\/)?(?:at\+jwt|jwt)$/i.test(typ))

/** A request to an issuer, whose configuration is its name and who vouches for it. */
const requestFor = (
  issuer: JwtIssuer,
  connection: Pick<JwtBearerOptions, "proxies" | "userAgent">
): GrantRequest & { readonly config: { readonly issuer: string } } => {
  const config = Result.getOrThrow(issuerConfig(issuer, { grant_type: "authorization_code" }))
  return {
    serverName: "gateway",
    correlationId: "",
    ...connection,
    config: { ...config, issuer: issuer.issuer }
  }
}

/**
 * Callers with a JWT access token of an issuer (RFC 9068), checked with the keys that its metadata leads to.
 *
 * @example
 * ```ts
 * import { JwtBearer } from "@secure-mcp/inbound-auth"
 * import { OAuthHttp } from "@secure-mcp/oauth-core"
 * import * as FetchHttpClient from "effect/http/FetchHttpClient"
 * import * as Layer from "effect/Layer"
 *
 * export const CallersLive = JwtBearer.layer([{ issuer: "https://login.example.com", requiredScopes: ["mcp"] }]).pipe(
 *   Layer.provide(OAuthHttp.layer),
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 */
export const JwtBearer = {
  method,
  layer: (
    issuers: ReadonlyArray<JwtIssuer>,
    options?: JwtBearerOptions
  ): Layer.Layer<Callers, never, OAuthHttp> => Callers.layerOf([method(issuers, options)])
}
