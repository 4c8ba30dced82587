import { Grants, LoginRecords, Misconfigured, OAuthError } from "@secure-mcp/oauth-core"
import type { GrantRequest, KeepGrant, OAuthErrorReason, OAuthHttp } from "@secure-mcp/oauth-core"
import { inSpan } from "@secure-mcp/oauth-core/internal"
import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { AddressGuard } from "./endpoint/AddressGuard.ts"
import { authorize, type LoginServices, redeem } from "./authorization/AuthorizationCode.ts"
import { AuthorizationPages } from "./authorization/AuthorizationPages.ts"
import { checkAuthorizationResponse } from "./authorization/AuthorizationResponse.ts"
import { Circuit } from "./endpoint/Circuit.ts"
import { clientCredentials } from "./grants/ClientCredentials.ts"
import { GrantTargets } from "./resolution/GrantTarget.ts"
import { authorizeDevice } from "./grants/DeviceAuthorization.ts"
import { EndpointClient } from "./endpoint/EndpointClient.ts"
import type { Flow } from "./grants/Flow.ts"
import { jwtBearer } from "./grants/JwtBearer.ts"
import { LoginRequests } from "./authorization/SharedAuthorizations.ts"
import { PendingAuthorizations } from "./authorization/PendingAuthorizations.ts"
import { refreshOnly } from "./grants/RefreshOnly.ts"
import { RefusedExchanges } from "./token/RefusedExchanges.ts"
import { RefusedRefreshTokens } from "./token/RefusedRefreshTokens.ts"
import { revokeToken } from "./token/Revocation.ts"
import { StepUps } from "./grants/StepUp.ts"
import { tokenExchange } from "./grants/TokenExchange.ts"

/** Options of `OAuthFlows.layerOptions`. */
export interface OAuthFlowsOptions {
  /**
   * Limits each attempt, from connecting to the last byte of the answer, and the wait for an endpoint that was down
   * (`auth_timeout_seconds`). Default 10 s.
   */
  readonly authTimeout?: Duration.Input | undefined
}

const keepNothing: KeepGrant = () => Effect.void

const builtInFlows: ReadonlyArray<Flow> = [
  clientCredentials,
  refreshOnly("authorization_code"),
  refreshOnly("device_code"),
  jwtBearer,
  tokenExchange
]

const make = Effect.fnUntraced(function* (own: ReadonlyArray<Flow>) {
  const flows = new Map([...builtInFlows, ...own].map((flow) => [flow.grantType, flow.acquire]))
  const services = Context.pick(
    EndpointClient,
    Circuit,
    GrantTargets,
    RefusedRefreshTokens,
    RefusedExchanges,
    StepUps,
    PendingAuthorizations,
    AuthorizationPages,
    SecureRandom.SecureRandom,
    Digest.Digest
  )(yield* Effect.context<LoginServices>()).pipe(
    // What was given to the layer counts, whoever runs an operation.
    Context.add(LoginRecords, yield* LoginRecords),
    Context.add(LoginRequests, yield* LoginRequests)
  )

  /** Runs one operation of a request, and names both in its error and its logs. */
  const runAs =
    (operation: string, request: GrantRequest) =>
    <A>(self: Effect.Effect<A, OAuthErrorReason, LoginServices>): Effect.Effect<A, OAuthError> =>
      self.pipe(Effect.provide(services), reportAs(operation, request), annotateLogs(request))

  /** A response that belongs to no request of ours has no server name and no correlation id. */
  const reportForged = (reason: OAuthErrorReason) =>
    OAuthError.fail({ operation: "log in", serverName: "*", reason })

  return Grants.of({
    acquire: (request, previous, keep = keepNothing) =>
      (flows.get(request.config.grantType) ?? failWithoutFlow)(request, previous, keep).pipe(
        runAs("get an access token", request),
        inSpan("Grants.acquire")
      ),

    authorize: Effect.fn("Grants.authorize")((request, redirectUri) =>
      authorize(request, redirectUri).pipe(runAs("log in", request))
    ),

    redeem: Effect.fn("Grants.redeem")(function* (response, keep = keepNothing, identified) {
      const genuine = yield* checkAuthorizationResponse(response).pipe(
        Effect.provide(services),
        Effect.catch(reportForged)
      )
      const { request } = genuine.pending
      identified?.(request)
      return { request, token: yield* redeem(genuine, keep).pipe(runAs("log in", request)) }
    }),

    authorizeDevice: Effect.fn("Grants.authorizeDevice")(function* (request, keep = keepNothing) {
      const login = yield* authorizeDevice(request, keep).pipe(runAs("log in", request))
      return { ...login, token: login.token.pipe(runAs("log in", request)) }
    }),

    revoke: Effect.fn("Grants.revoke")((request, token) =>
      revokeToken(request, token).pipe(runAs("revoke the access token", request))
    )
  })
})

const failWithoutFlow: Flow["acquire"] = ({ config: { grantType } }) =>
  Effect.fail(
    new Misconfigured({
      problem: `there is no flow for \`grant_type\` "${grantType}": give it to \`OAuthFlows.layerWith\``
    })
  )

const reportAs = (operation: string, { correlationId, serverName }: GrantRequest) =>
  Effect.catch((reason: OAuthErrorReason) =>
    OAuthError.fail({ operation, serverName, correlationId, reason })
  )

const annotateLogs = ({ correlationId, serverName }: GrantRequest) =>
  Effect.annotateLogs({ server_name: serverName, correlation_id: correlationId })

const layerWith = (
  flows: ReadonlyArray<Flow>,
  { authTimeout = "10 seconds" }: OAuthFlowsOptions = {}
): Layer.Layer<Grants, never, OAuthHttp> =>
  Layer.effect(Grants, make(flows)).pipe(
    Layer.provide([
      GrantTargets.layer,
      AuthorizationPages.layer,
      PendingAuthorizations.layer,
      RefusedRefreshTokens.layer,
      RefusedExchanges.layer,
      StepUps.layer
    ]),
    Layer.provide([Digest.layerWebCrypto, SecureRandom.layerWebCrypto]),
    Layer.provide([EndpointClient.layer(authTimeout), Circuit.layer(authTimeout)]),
    Layer.provide(AddressGuard.layer)
  )

const layerOptions = (options: OAuthFlowsOptions): Layer.Layer<Grants, never, OAuthHttp> =>
  layerWith([], options)

/**
 * Layers that fill the `Grants` port of `@secure-mcp/oauth-core`: a token is obtained by the flow of the configured
 * grant, with retries, and with a circuit breaker for each token endpoint.
 *
 * @example
 * ```ts
 * import { OAuthHttp } from "@secure-mcp/oauth-core"
 * import { OAuthFlows } from "@secure-mcp/oauth-flows"
 * import * as FetchHttpClient from "effect/http/FetchHttpClient"
 * import * as Layer from "effect/Layer"
 *
 * const GrantsLive = OAuthFlows.layer.pipe(
 *   Layer.provide(OAuthHttp.layer),
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 */
export const OAuthFlows = {
  /** `Grants` over any `OAuthHttp`, with every option at its default. */
  layer: layerOptions({}),
  /**
   * `Grants` with other options than the defaults.
   *
   * @example
   * ```ts
   * import { OAuthFlows } from "@secure-mcp/oauth-flows"
   *
   * const Patient = OAuthFlows.layerOptions({ authTimeout: "30 seconds" })
   * ```
   */
  layerOptions,
  /**
   * `Grants` with flows of your own beside the built-in ones. `grant_type` selects them by their names, if the
   * configuration is decoded with them as its `grants`.
   *
   * @example
   * ```ts
   * import { decodeOAuthConfig } from "@secure-mcp/oauth-core"
   * import { Flow, OAuthFlows } from "@secure-mcp/oauth-flows"
   * import * as Effect from "effect/Effect"
   * import * as Schema from "effect/Schema"
   *
   * const saml = Flow.tokenRequest({
   *   grantType: "saml2_bearer",
   *   keys: { saml_assertion: Schema.RedactedFromValue(Schema.NonEmptyString) },
   *   parameters: ({ keys }) =>
   *     Effect.succeed({
   *       grant_type: "urn:ietf:params:oauth:grant-type:saml2-bearer",
   *       assertion: keys.saml_assertion
   *     })
   * })
   *
   * const GrantsLive = OAuthFlows.layerWith([saml])
   * const config = decodeOAuthConfig(
   *   {
   *     grant_type: "saml2_bearer",
   *     token_url: "https://auth.example.com/token",
   *     client_id: "my-client",
   *     saml_assertion: "PHNhbWw..."
   *   },
   *   { grants: [saml] }
   * )
   * ```
   *
   * @param flows one with the name of a built-in grant replaces that one's flow
   */
  layerWith
}
