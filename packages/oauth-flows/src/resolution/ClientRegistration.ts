import {
  clientAuthenticationMethods,
  InvalidResponse,
  isLoopbackHost,
  RequestRefused
} from "@secure-mcp/oauth-core"
import type {
  ClientAuthenticationMethod,
  GrantRequest,
  OAuthConfig,
  OAuthErrorReason
} from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { AuthorizationServerMetadata } from "../discovery/AuthorizationServerMetadata.ts"
import type { Client } from "../client/Client.ts"
import { discoveredEndpoint } from "../endpoint/Endpoint.ts"
import { EndpointClient, type UseAnswer } from "../endpoint/EndpointClient.ts"
import { publicKeySet, readPrivateKey } from "../client/PrivateKey.ts"
import { longestDocument, parseFields, type ResponseFields } from "../endpoint/ResponseBody.ts"

/** Client metadata (RFC 7591 §2), by its names in JSON. */
export type ClientMetadata = Readonly<Record<string, unknown>>

/**
 * @param redirectUri where the person is sent back to; undefined for a grant on another device
 * @param scope all that may be requested later
 */
export const clientMetadata = Effect.fnUntraced(function* (
  config: OAuthConfig,
  metadata: AuthorizationServerMetadata,
  redirectUri: string | undefined,
  scope: string | undefined
) {
  const applicationType = redirectUri === undefined || isNative(redirectUri) ? "native" : "web"
  const method = config.tokenEndpointAuthMethod ?? methodToAskFor(metadata, applicationType)
  const members: ClientMetadata = {
    client_name: config.clientName ?? "Secure MCP Gateway",
    application_type: applicationType,
    ...(redirectUri === undefined ? deviceGrant(metadata) : codeGrant(redirectUri, metadata)),
    token_endpoint_auth_method: method,
    ...(scope === undefined ? {} : { scope }),
    // RFC 8705 §3.4: a client gets certificate-bound tokens only if it registered for them.
    ...(config.useMtls && metadata.tlsClientCertificateBoundAccessTokens === true
      ? { tls_client_certificate_bound_access_tokens: true }
      : {}),
    ...(method === "private_key_jwt" ? { jwks: publicKeySet(yield* readPrivateKey(config)) } : {}),
    ...config.registration
  }
  return Record.filter(members, (value) => value !== false)
})

const codeGrant = (redirectUri: string, metadata: AuthorizationServerMetadata) => ({
  redirect_uris: [redirectUri],
  grant_types: grantTypes("authorization_code", metadata),
  response_types: ["code"]
})

const deviceGrant = (metadata: AuthorizationServerMetadata) => ({
  redirect_uris: [],
  grant_types: grantTypes("urn:ietf:params:oauth:grant-type:device_code", metadata),
  response_types: []
})

/** A server may refuse a registration for a grant that it does not know. */
const grantTypes = (
  grantType: string,
  { grantTypesSupported: supported }: AuthorizationServerMetadata
): ReadonlyArray<string> =>
  supported?.includes("refresh_token") === false ? [grantType] : [grantType, "refresh_token"]

/** OpenID Connect Registration §2: a native client is sent back to this machine over plain http, or to an app by its own scheme. */
const isNative = (redirectUri: string): boolean => {
  const parsed = URL.parse(redirectUri)
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) return true
  return parsed.protocol === "http:" && isLoopbackHost(parsed.hostname)
}

/** A native client cannot keep a secret (RFC 8252 §8.5); a server can. */
const methodToAskFor = (
  { tokenEndpointAuthMethodsSupported: supported = ["client_secret_basic"] }: AuthorizationServerMetadata,
  applicationType: "native" | "web"
): ClientAuthenticationMethod => {
  const secret = ["client_secret_basic", "client_secret_post"] as const
  const order = applicationType === "native" ? (["none", ...secret] as const) : ([...secret, "none"] as const)
  return order.find((method) => supported.includes(method)) ?? order[0]
}

/** Where a client is registered, and whom its assertions are for. */
export interface RegistrationPlace {
  readonly registrationEndpoint: string
  readonly audience: string
}

/** Registers a client, once: a second registration after a lost answer would leave the first one lying around. */
export const registerClient = Effect.fn("ClientRegistration.registerClient")(function* (
  request: GrantRequest,
  { audience, registrationEndpoint }: RegistrationPlace,
  asked: ClientMetadata
): Effect.fn.Return<Client, OAuthErrorReason, EndpointClient> {
  const client = yield* EndpointClient
  const endpoint = discoveredEndpoint("registration", registrationEndpoint)
  const message = HttpClientRequest.post(registrationEndpoint).pipe(HttpClientRequest.bodyJsonUnsafe(asked))
  const unusable = (problem: string) => new InvalidResponse({ endpoint: endpoint.name, problem })
  const useAnswer: UseAnswer<Client> = ({ body }) => {
    const read = Result.flatMap(Result.flatMap(body, parseFields), readRegistration(asked, audience))
    return Effect.fromResult(Result.mapError(read, unusable))
  }
  const registered = yield* client
    .send({ request, endpoint, message, secrets: secretsOf(asked), longestBody: longestDocument }, useAnswer)
    .pipe(Effect.catchTag("RequestRefused", (refusal) => Effect.fail(withAdvice(refusal))))
  yield* Effect.logInfo(`Registered as a client at ${endpoint.name}`)
  return registered
})

/** Whoever has the software statement registers as the software it names (RFC 7591 §2.3). */
const secretsOf = ({ software_statement: statement }: ClientMetadata): ReadonlyArray<Redacted.Redacted> =>
  typeof statement === "string" ? [Redacted.make(statement)] : []

const withAdvice = (refusal: RequestRefused): RequestRefused =>
  new RequestRefused({
    ...refusal,
    advice:
      refusal.status === 401 || refusal.status === 403
        ? "The authorization server registers only clients that it knows, or not with these members: create a client " +
          "there and configure `client_id` and `client_secret`, or see `registration`"
        : "See `registration`, which sets and leaves out members, or configure `client_id` and `client_secret`"
  })

/** RFC 7591 §3.2.1: what the server answers holds, whatever was asked for. */
const readRegistration =
  (asked: ClientMetadata, audience: string) =>
  (fields: ResponseFields): Result.Result<Client, string> =>
    Result.gen(function* () {
      const clientId = yield* readText(fields, "client_id")
      if (clientId === undefined) return yield* Result.fail("it has no `client_id`")
      const secret = yield* readText(fields, "client_secret")
      const authenticationMethod = yield* readMethod(fields, secret, asked)
      return {
        clientId,
        clientSecret: secret === undefined ? undefined : Redacted.make(secret),
        clientSecretExpiresAt: readExpiry(fields["client_secret_expires_at"]),
        authenticationMethod,
        audience,
        source: "registered"
      }
    })

const readText = (fields: ResponseFields, key: string): Result.Result<string | undefined, string> => {
  const value = fields[key]
  if (value === undefined || value === null || value === "") return Result.succeed(undefined)
  return typeof value === "string" ? Result.succeed(value) : Result.fail(`its \`${key}\` is not text`)
}

const readMethod = (
  fields: ResponseFields,
  secret: string | undefined,
  asked: ClientMetadata
): Result.Result<ClientAuthenticationMethod, string> => {
  const answered = fields["token_endpoint_auth_method"] ?? undefined
  const method = clientAuthenticationMethods.find(
    (known) => known === (answered ?? asked["token_endpoint_auth_method"])
  )
  // Who is not told another method uses the one that was asked for, if there is a secret for it.
  if (answered === undefined && secret === undefined && method?.startsWith("client_secret") !== false) {
    return Result.succeed("none")
  }
  if (method === undefined) return Result.fail("its `token_endpoint_auth_method` is none that is known here")
  return method.startsWith("client_secret") && secret === undefined
    ? Result.fail("it has no `client_secret`, which its `token_endpoint_auth_method` needs")
    : Result.succeed(method)
}

/** Seconds since the epoch, 0 for never. */
const readExpiry = (value: unknown): number | undefined =>
  typeof value === "number" && value > 0 ? value * 1000 : undefined
