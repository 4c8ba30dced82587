import { Grants, OAuthError, UnsupportedGrantType } from "@secure-mcp/oauth-core"
import type { GrantRequest, GrantType, OAuthErrorReason, OAuthHttp, OAuthToken } from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { AddressGuard } from "./AddressGuard.ts"
import { Circuit } from "./Circuit.ts"
import { clientCredentials } from "./ClientCredentials.ts"
import { ClientResolution } from "./ClientResolution.ts"
import { EndpointClient } from "./EndpointClient.ts"
import type { Flow, FlowServices } from "./Flow.ts"
import { ResolvedClients } from "./ResolvedClient.ts"
import { revokeToken } from "./Revocation.ts"

export interface GrantsOptions {
  /** Bounds each attempt, from connecting to the last byte of the answer (`auth_timeout_seconds`). Default 10 s. */
  readonly authTimeout?: Duration.Input | undefined
}

/** The flow of each grant. One without a flow fails with `UnsupportedGrantType`. */
const flows: Record<GrantType, Flow | undefined> = {
  client_credentials: clientCredentials,
  authorization_code: undefined,
  jwt_bearer: undefined,
  token_exchange: undefined,
  device_code: undefined
}

const acquireBy = (
  request: GrantRequest,
  previous: OAuthToken | undefined
): Effect.Effect<OAuthToken, OAuthErrorReason, FlowServices> => {
  const { grantType } = request.config
  const flow = flows[grantType]
  return flow === undefined ? Effect.fail(new UnsupportedGrantType({ grantType })) : flow(request, previous)
}

const make = Effect.gen(function* () {
  const services = Context.pick(
    EndpointClient,
    Circuit,
    ResolvedClients
  )(yield* Effect.context<FlowServices>())
  return Grants.of({
    acquire: Effect.fn("Grants.acquire")((request, previous) =>
      acquireBy(request, previous).pipe(
        Effect.provide(services),
        reportAs("get an access token", request),
        annotateLogs(request)
      )
    ),
    revoke: Effect.fn("Grants.revoke")((request, token) =>
      revokeToken(request, token).pipe(
        Effect.provide(services),
        reportAs("revoke the access token", request),
        annotateLogs(request)
      )
    )
  })
})

const reportAs = (operation: string, { correlationId, serverName }: GrantRequest) =>
  Effect.mapError(
    (reason: OAuthErrorReason) => new OAuthError({ operation, serverName, correlationId, reason })
  )

const annotateLogs = ({ correlationId, serverName }: GrantRequest) =>
  Effect.annotateLogs({ server_name: serverName, correlation_id: correlationId })

const layerOptions = ({ authTimeout = "10 seconds" }: GrantsOptions): Layer.Layer<Grants, never, OAuthHttp> =>
  Layer.effect(Grants, make).pipe(
    Layer.provide(ClientResolution.layer),
    Layer.provide([EndpointClient.layer(authTimeout), Circuit.layer]),
    Layer.provide(AddressGuard.layer)
  )

/** Implements the `Grants` port: tokens are obtained by the flow of the configured grant, with retries behind a circuit. */
export const GrantsLayer = {
  /** With every option at its default. */
  layer: layerOptions({}),
  layerOptions
}
