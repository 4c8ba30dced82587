import {
  ConfigError,
  decodeConfig,
  type ConfigProblem,
  type ConfigResult,
  endpointProblem,
  isLoopbackHost
} from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
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
  groupsClaim: Schema.NonEmptyString.pipe(Schema.withDecodingDefaultKey(Effect.succeed("groups")))
}

const tokenNames = {
  requiredScopes: "required_scopes",
  subjectClaim: "subject_claim",
  groupsClaim: "groups_claim"
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

/** An issuer whose JWT access tokens are accepted. */
export interface JwtIssuerSettings extends Schema.Schema.Type<typeof JwtIssuer> {}

/** An issuer that is asked about each token. */
export interface IntrospectionSettings extends Schema.Schema.Type<typeof IntrospectingIssuer> {}

/** The `callers` object of `gateway`: who may call besides those with an API key. */
export interface CallersSettings {
  readonly jwt: ReadonlyArray<JwtIssuerSettings>
  readonly introspection: ReadonlyArray<IntrospectionSettings>
  /** Whether a client certificate of `tls.client_ca_path` says who calls. */
  readonly clientCertificates: boolean
  /** How many tokens are remembered. */
  readonly rememberedTokens: number
}

const issuerProblems = ({ issuer }: { readonly issuer: string }): ReadonlyArray<ConfigProblem> => {
  const message = urlProblem(issuer)
  return message === undefined ? [] : [{ path: ["issuer"], message }]
}

/** The rule for each URL by which callers are known: https, or http on this machine. */
export const urlProblem = (url: string): string | undefined => {
  const isLocal = isLoopbackHost(URL.parse(url)?.hostname ?? "")
  return (
    endpointProblem(url, { enforceHttps: !isLocal, version: "2.1" }) ??
    (url.includes("?") ? "must not contain a query" : undefined)
  )
}

const decodeJwtIssuer = decodeConfig({
  schema: JwtIssuer,
  keys: ["issuer", "audience", ...Object.values(tokenNames)],
  wireNames: tokenNames,
  rules: issuerProblems
})

const decodeIntrospection = decodeConfig({
  schema: IntrospectingIssuer,
  keys: ["issuer", "audience", ...Object.values(introspectionNames)],
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
    rememberedTokens: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(10_000)))
  }).pipe(Schema.encodeKeys(ownNames)),
  keys: ["jwt", "introspection", ...Object.values(ownNames)],
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
  const jwt = items("jwt", decodeJwtIssuer)
  const introspection = items("introspection", decodeIntrospection)
  problems.push(...duplicateIssuers(jwt))
  if (own === undefined || problems.length > 0) return Result.fail(new ConfigError({ problems }))
  const { clientCertificates, rememberedTokens } = own
  return Result.succeed({ jwt, introspection, clientCertificates, rememberedTokens })
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
