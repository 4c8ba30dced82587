import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { exportJWK, generateKeyPair, type JWK } from "jose"
import { randomBytes } from "node:crypto"
import * as Http from "node:http"
import * as Https from "node:https"
import type { AddressInfo } from "node:net"
import type { TlsOptions } from "node:tls"
import { Provider, type ClientMetadata } from "oidc-provider"
import { interactions } from "./Interactions.ts"
import { mtlsEndpointAliases, type MtlsEndpointAliases } from "./MutualTls.ts"
import type { ProtectedResource } from "./ProtectedResource.ts"
import { providerConfiguration } from "./ProviderConfiguration.ts"
import { registerTokenExchange } from "./TokenExchange.ts"
import { registerJwts, type TokenIntrospection, tokenVerifier } from "./TokenIntrospection.ts"
import { type TokenRequest, tokenRequestRecorder } from "./TokenRequest.ts"
import { TokenStorage } from "./TokenStorage.ts"

export interface AuthorizationServerOptions {
  /** Clients known from the start, as RFC 7591 metadata. */
  readonly clients: ReadonlyArray<ClientMetadata>
  /** Client ID Metadata Documents by their URL, as if they were served there. */
  readonly clientDocuments?: Readonly<Record<string, object>>
  readonly resources?: ReadonlyArray<ProtectedResource>
  /** Port on 127.0.0.1; 0, the default, picks one. */
  readonly port?: number
  /** Lifetime of new access tokens in whole seconds; one hour by default. */
  readonly accessTokenLifetime?: number
  /** Serves https. `requestCert` and `rejectUnauthorized` ask for a client certificate. */
  readonly tls?: Pick<TlsOptions, "key" | "cert" | "ca" | "requestCert" | "rejectUnauthorized"> & {
    /**
     * Listens on a second port, which asks for a client certificate and which the metadata names in
     * `mtls_endpoint_aliases` (RFC 8705 §5). The PEM of the authorities that `tls_client_auth` trusts; certificates of
     * others are accepted, too, because `self_signed_tls_client_auth` needs that.
     */
    readonly mtlsAuthorities?: string
  }
}

/** The server could not start: the port is taken, or the configuration is not usable. */
export class AuthorizationServerStartError extends Schema.TaggedError<AuthorizationServerStartError>()(
  "AuthorizationServerStartError",
  { reason: Schema.Literals(["Listen", "Configuration"]), cause: Schema.Defect() }
) {
  override get message() {
    return `The authorization server cannot start (${this.reason}): ${String(this.cause)}`
  }
}

/**
 * A running OpenID provider, with the controls that a test or a demo needs beyond the protocol.
 */
export class AuthorizationServer extends Context.Service<
  AuthorizationServer,
  {
    /** The issuer identifier; metadata is served below it, as RFC 8414 and OpenID Connect Discovery specify. */
    readonly issuer: string
    readonly tokenEndpoint: string
    readonly authorizationEndpoint: string
    /** RFC 7662. Any client with a secret may introspect; JWTs are refused with `unsupported_token_type`. */
    readonly introspectionEndpoint: string
    /** RFC 7009; JWTs are refused with `unsupported_token_type`. */
    readonly revocationEndpoint: string
    readonly jwksUri: string
    /** The endpoints on the second port, if there is one. */
    readonly mtlsEndpointAliases: MtlsEndpointAliases | undefined
    /** The introspection response (RFC 7662) for an access token, opaque or JWT, without a request. */
    readonly verify: (accessToken: string) => Effect.Effect<TokenIntrospection>
    /** Everything that arrived at the token endpoint, oldest first, refused requests included. */
    readonly tokenRequests: Effect.Effect<ReadonlyArray<TokenRequest>>
    /** Makes all access tokens issued so far inactive; refresh tokens stay valid. */
    readonly revokeAccessTokens: Effect.Effect<void>
    /** Makes all access and refresh tokens issued so far inactive. */
    readonly revokeAll: Effect.Effect<void>
    /** While on, the token endpoint answers 503. */
    readonly setOutage: (on: boolean) => Effect.Effect<void>
    /** Lifetime in whole seconds, for tokens issued from now on. */
    readonly setAccessTokenLifetime: (seconds: number) => Effect.Effect<void>
    /** Signs with a new key from now on. The old ones stay in the key set, so tokens that they signed stay valid. */
    readonly rotateKey: Effect.Effect<void>
  }
>()("@secure-mcp/authorization-server/AuthorizationServer") {
  /** Listens on 127.0.0.1 until the scope closes, which cuts open connections. */
  static readonly make = (
    options: AuthorizationServerOptions
  ): Effect.Effect<AuthorizationServer["Service"], AuthorizationServerStartError, Scope.Scope> =>
    make(options)

  static readonly layer = (options: AuthorizationServerOptions) =>
    Layer.effect(AuthorizationServer, make(options))
}

/** Metadata of a client that may only use the client credentials grant, authenticated by its secret. */
export const clientCredentialsClient = (
  clientId: string,
  clientSecret: string,
  authMethod: "client_secret_basic" | "client_secret_post" = "client_secret_basic"
): ClientMetadata => ({
  client_id: clientId,
  client_secret: clientSecret,
  token_endpoint_auth_method: authMethod,
  grant_types: ["client_credentials"],
  response_types: [],
  redirect_uris: []
})

const make = Effect.fnUntraced(function* (options: AuthorizationServerOptions) {
  const server = yield* listen(options.tls, options.port ?? 0)
  const mtlsServer = yield* listenForCertificates(options)
  const issuer = `${options.tls ? "https" : "http"}://127.0.0.1:${portOf(server)}`
  const cookieKey = randomBytes(32).toString("base64url")
  const runPromise = Effect.runPromiseWith(yield* Effect.context())
  const storage = new TokenStorage()
  let lifetime = options.accessTokenLifetime ?? 3600

  const aliases =
    mtlsServer === undefined ? undefined : mtlsEndpointAliases(`https://127.0.0.1:${portOf(mtlsServer)}`)
  const resources = options.resources ?? []
  const recorder = tokenRequestRecorder("/token")
  const verify = tokenVerifier({ current: () => current, storage })

  /** Keys are given to a provider at its beginning. What it has issued is in the storage. */
  const providerWith = Effect.fnUntraced(function* (signingKeys: ReadonlyArray<JWK>) {
    const provider = yield* Effect.try({
      try: () =>
        new Provider(
          issuer,
          providerConfiguration({
            clients: options.clients,
            clientDocuments: options.clientDocuments ?? {},
            resources,
            accessTokenLifetime: () => lifetime,
            signingKeys,
            cookieKey,
            storage,
            tls: options.tls !== undefined,
            mtlsEndpointAliases: aliases
          })
        ),
      catch: (cause) => new AuthorizationServerStartError({ reason: "Configuration", cause })
    })
    registerJwts(provider, storage)
    registerTokenExchange(provider, { accessTokenLifetime: () => lifetime, resources, runPromise, verify })
    provider.use(recorder.middleware)
    provider.use(interactions(provider))
    return { provider, signingKeys, answer: provider.callback() }
  })
  let current = yield* providerWith([yield* makeSigningKey("signing-key")])
  for (const listener of [server, mtlsServer])
    listener?.on("request", (request, response) => void current.answer(request, response))
  const { provider } = current

  return AuthorizationServer.of({
    issuer,
    tokenEndpoint: provider.urlFor("token"),
    authorizationEndpoint: provider.urlFor("authorization"),
    introspectionEndpoint: provider.urlFor("introspection"),
    revocationEndpoint: provider.urlFor("revocation"),
    jwksUri: provider.urlFor("jwks"),
    mtlsEndpointAliases: aliases,
    verify,
    tokenRequests: recorder.requests,
    revokeAccessTokens: Effect.sync(() => storage.revokeAccessTokens()),
    revokeAll: Effect.sync(() => storage.revokeAll()),
    setOutage: recorder.setOutage,
    setAccessTokenLifetime: (seconds) =>
      Effect.sync(() => {
        lifetime = seconds
      }),
    rotateKey: Effect.gen(function* () {
      const key = yield* makeSigningKey(`signing-key-${current.signingKeys.length + 1}`)
      current = yield* Effect.orDie(providerWith([key, ...current.signingKeys]))
    })
  })
})

const listen = (tls: TlsOptions | undefined, port: number) =>
  Effect.acquireRelease(
    Effect.flatMap(createServer(tls), (server) => listening(server, port)),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

const listenForCertificates = ({ tls }: AuthorizationServerOptions) =>
  tls?.mtlsAuthorities === undefined
    ? Effect.void
    : listen({ ...tls, ca: tls.mtlsAuthorities, requestCert: true, rejectUnauthorized: false }, 0)

const portOf = (server: Http.Server) => (server.address() as AddressInfo).port

// Unusable PEM makes Node throw.
const createServer = (tls: TlsOptions | undefined) =>
  Effect.try({
    try: (): Http.Server => (tls === undefined ? Http.createServer() : Https.createServer(tls)),
    catch: (cause) => new AuthorizationServerStartError({ reason: "Configuration", cause })
  })

const listening = (server: Http.Server, port: number) =>
  Effect.callback<Http.Server, AuthorizationServerStartError>((resume) => {
    const refuse = (cause: Error) =>
      resume(Effect.fail(new AuthorizationServerStartError({ reason: "Listen", cause })))
    server.once("error", refuse)
    server.listen(port, "127.0.0.1", () => {
      server.off("error", refuse)
      resume(Effect.succeed(server))
    })
  })

// ES256 because a fresh key costs a millisecond, where RSA costs a tenth of a second.
const makeSigningKey = (kid: string) =>
  Effect.promise(async (): Promise<JWK> => {
    const { privateKey } = await generateKeyPair("ES256", { extractable: true })
    return { ...(await exportJWK(privateKey)), alg: "ES256", use: "sig", kid }
  })
