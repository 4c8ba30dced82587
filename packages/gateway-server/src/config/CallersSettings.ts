import {
  ConfigError,
  decodeConfig,
  decodeOAuthConfig,
  type ConfigProblem,
  type ConfigResult,
  endpointProblem,
  isLoopbackHost,
  type OAuthConfig
} from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type AllowedCallers, decodeAllowed } from "./AllowedCallers.ts"
import { collectProblems, part } from "./CollectedProblems.ts"

const Required = Schema.NonEmptyString.pipe(Schema.annotateKey({ messageMissingKey: "required" }))
const Secret = Schema.RedactedFromValue(Schema.String).pipe(
  Schema.annotateKey({ messageMissingKey: "required" })
)

/** What is expected of the tokens of an issuer. */
const tokenFields = {
  /** As in the `iss` of its tokens. */
  issuer: Required,
  /** What the `aud` of its tokens must hold; absent: the URL of the server that is asked. */
  audience: Schema.optionalKey(Schema.NonEmptyString),
  /** Scopes that every token must have. */
  requiredScopes: Schema.Array(Schema.NonEmptyString).pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  /** The claim with the caller's name. */
  subjectClaim: Schema.NonEmptyString.pipe(Schema.withDecodingDefaultKey(Effect.succeed("sub"))),
  /** The claim with the caller's groups. */
  groupsClaim: Schema.NonEmptyString.pipe(Schema.withDecodingDefaultKey(Effect.succeed("groups"))),
  /** PEM file with the authorities trusted for the issuer, in place of the system's. */
  caBundlePath: Schema.optionalKey(Schema.NonEmptyString),
  /** How people log in there with a browser, or `false`. */
  login: Schema.optionalKey(Schema.Unknown)
}

const tokenNames = {
  requiredScopes: "required_scopes",
  subjectClaim: "subject_claim",
  groupsClaim: "groups_claim",
  caBundlePath: "ca_bundle_path"
} as const

const JwtIssuer = Schema.Struct(tokenFields).pipe(Schema.encodeKeys(tokenNames))

const introspectionNames = {
  ...tokenNames,
  introspectionUrl: "introspection_url",
  clientId: "client_id",
  clientSecret: "client_secret"
} as const

const IntrospectingIssuer = Schema.Struct({
  ...tokenFields,
  /** Where the issuer is asked; absent: what its metadata says. */
  introspectionUrl: Schema.optionalKey(Schema.String),
  clientId: Required,
  clientSecret: Secret
}).pipe(Schema.encodeKeys(introspectionNames))

/** An issuer with what is decoded of its `login`; undefined if no browser is to log in there. */
type WithLogin<Issuer> = Omit<Issuer, "login"> & { readonly login?: CompanyLoginSettings | undefined }

/** An issuer whose JWT access tokens are accepted. */
export interface JwtIssuerSettings extends WithLogin<Schema.Schema.Type<typeof JwtIssuer>> {}

/** How people log in with a browser at an issuer. */
export interface CompanyLoginSettings {
  /** Our client there. */
  readonly config: OAuthConfig & { readonly issuer: string }
  /** The claim of the ID token with the person's name, which is the same as in access tokens. */
  readonly subjectClaim: string
  /** Whether the configuration says so. Otherwise people log in there if the issuer lets us register a client. */
  readonly isConfigured: boolean
}

/** An issuer that is asked about each token. */
export interface IntrospectionSettings extends WithLogin<Schema.Schema.Type<typeof IntrospectingIssuer>> {}

/** The `callers` object of `gateway`: who may call besides those with an API key. */
export interface CallersSettings {
  readonly jwt: ReadonlyArray<JwtIssuerSettings>
  readonly introspection: ReadonlyArray<IntrospectionSettings>
  /** Whether a client certificate of `tls.client_ca_path` says who calls. */
  readonly clientCertificates: boolean
  /** How many tokens are remembered. */
  readonly rememberedTokens: number
  /** Who may see what all persons have granted; by default nobody. */
  readonly admin: AllowedCallers
}

/** All issuers of tokens, by which people are known: those at which their browsers may log in. */
export const issuersOfPeople = (
  callers: CallersSettings | undefined
): ReadonlyArray<JwtIssuerSettings | IntrospectionSettings> =>
  callers === undefined ? [] : [...callers.jwt, ...callers.introspection]

const issuerProblems = ({ issuer }: { readonly issuer: string }): ReadonlyArray<ConfigProblem> => {
  const message = urlProblem(issuer)
  return message === undefined ? [] : [{ path: ["issuer"], message }]
}

/** The rule for each URL by which callers are known: https, or http on this machine. */
export const urlProblem = (url: string): string | undefined => {
  const parsed = URL.parse(url)
  // There is no `enforce_https` beside these URLs.
  if (parsed?.protocol === "http:" && !isLoopbackHost(parsed.hostname))
    return "must be https, or http on a loopback host"
  return (
    endpointProblem(url, { enforceHttps: false, version: "2.1" }) ??
    (url.includes("?") ? "must not contain a query" : undefined)
  )
}

const decodeJwtIssuer = decodeConfig({
  schema: JwtIssuer,
  keys: ["issuer", "audience", "login", ...Object.values(tokenNames)],
  wireNames: tokenNames,
  rules: issuerProblems
})

const subjectClaimKey = "subject_claim"

/** What the gateway itself decides about a login. */
const decided = ["grant_type", "issuer", "redirect_uri", "state", "code_verifier", "code_challenge"]

type Issuer = Pick<Schema.Schema.Type<typeof JwtIssuer>, "caBundlePath" | "issuer" | "login" | "subjectClaim">

/** Decodes an issuer with its `login`. */
const withLogin =
  <A extends Issuer>(decode: (item: unknown) => ConfigResult<A>) =>
  (item: unknown): ConfigResult<WithLogin<A>> =>
    Result.flatMap(decode(item), (decoded) => {
      const { login: _, ...issuer } = decoded
      return Result.mapBoth(decodeLogin(decoded), {
        onFailure: ({ problems }) =>
          new ConfigError({
            problems: problems.map(({ message, path }) => ({ path: ["login", ...path], message }))
          }),
        onSuccess: (login): WithLogin<A> => (login === undefined ? issuer : { ...issuer, login })
      })
    })

/** Decodes the `login` of an issuer: the keys of an `oauth` object, and `subject_claim`. */
const decodeLogin = ({
  caBundlePath,
  issuer,
  login,
  subjectClaim
}: Issuer): ConfigResult<CompanyLoginSettings | undefined> => {
  if (login === false) return Result.succeed(undefined)
  if (login !== undefined && (!Predicate.isObject(login) || Array.isArray(login)))
    return failed([{ path: [], message: "must be an object, or false" }])
  const { [subjectClaimKey]: ownClaim = subjectClaim, ...keys }: Readonly<Record<string, unknown>> = {
    ...login
  }
  const problems: ReadonlyArray<ConfigProblem> = [
    ...decided
      .filter((key) => key in keys)
      .map((key) => ({ path: [key], message: "is not for this login: the gateway decides it" })),
    ...(Predicate.isString(ownClaim) && ownClaim !== ""
      ? []
      : [{ path: [subjectClaimKey], message: "must be the name of a claim" }])
  ]
  if (!Predicate.isString(ownClaim) || problems.length > 0) return failed(problems)
  const isLocal = isLoopbackHost(URL.parse(issuer)?.hostname ?? "")
  return Result.map(
    decodeOAuthConfig({
      grant_type: "authorization_code",
      issuer,
      scope: "openid",
      // Nothing is done with a token of this login, so none is to be renewed.
      offline_access: false,
      enforce_https: !isLocal,
      ...(caBundlePath === undefined ? {} : { ca_bundle_path: caBundlePath }),
      ...keys
    }),
    (config) => ({
      config: { ...config, issuer },
      subjectClaim: ownClaim,
      isConfigured: login !== undefined
    })
  )
}

const failed = (problems: ReadonlyArray<ConfigProblem>) => Result.fail(new ConfigError({ problems }))

const decodeIntrospection = decodeConfig({
  schema: IntrospectingIssuer,
  keys: ["issuer", "audience", "login", ...Object.values(introspectionNames)],
  wireNames: introspectionNames,
  rules: (settings) => {
    const { introspectionUrl: url } = settings
    const message = url === undefined ? undefined : urlProblem(url)
    return [
      ...issuerProblems(settings),
      ...(message === undefined ? [] : [{ path: ["introspection_url"], message }])
    ]
  }
})

const ownNames = { clientCertificates: "client_certificates", rememberedTokens: "remembered_tokens" } as const

const decodeOwn = decodeConfig({
  schema: Schema.Struct({
    jwt: Schema.Array(Schema.Unknown).pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
    introspection: Schema.Array(Schema.Unknown).pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
    clientCertificates: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false))),
    rememberedTokens: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(10_000))),
    admin: Schema.optionalKey(Schema.Unknown)
  }).pipe(Schema.encodeKeys(ownNames)),
  keys: ["jwt", "introspection", "admin", ...Object.values(ownNames)],
  wireNames: ownNames,
  rules: ({ introspection, rememberedTokens }) => [
    ...(rememberedTokens < 1 ? [{ path: [ownNames.rememberedTokens], message: "must be at least 1" }] : []),
    // Nothing in a token that only its issuer can read says which issuer that is.
    ...(introspection.length > 1
      ? [{ path: ["introspection", 1], message: "only one issuer can be asked about tokens" }]
      : [])
  ]
})

/** Decodes a `callers` object and reports every problem at once. */
export const decodeCallersSettings = (input: unknown): ConfigResult<CallersSettings> => {
  const { accept, problems } = collectProblems()
  const own = accept([], decodeOwn(input))
  const items = <A>(key: "jwt" | "introspection", decode: (item: unknown) => ConfigResult<A>) =>
    itemsOf(input, key)
      .map((item, index) => accept([key, index], decode(item)))
      .filter((item) => item !== undefined)
  const admin = accept(["admin"], decodeAllowed(part(input, "admin") ?? {}))
  const jwt = items("jwt", withLogin(decodeJwtIssuer))
  const introspection = items("introspection", withLogin(decodeIntrospection))
  problems.push(...duplicateIssuers(jwt))
  if (own === undefined || admin === undefined || problems.length > 0) return failed(problems)
  const { clientCertificates, rememberedTokens } = own
  return Result.succeed({ jwt, introspection, clientCertificates, rememberedTokens, admin })
}

const itemsOf = (input: unknown, key: string): ReadonlyArray<unknown> => {
  const items = part(input, key)
  return Array.isArray(items) ? items : []
}

const duplicateIssuers = (issuers: ReadonlyArray<JwtIssuerSettings>): ReadonlyArray<ConfigProblem> =>
  issuers.flatMap(({ issuer }, index) =>
    issuers.findIndex((other) => other.issuer === issuer) < index
      ? [{ path: ["jwt", index, "issuer"], message: "stands in this list already" }]
      : []
  )
