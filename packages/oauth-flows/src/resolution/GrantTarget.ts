import type { GrantRequest, OAuthConfig, OAuthErrorReason, OAuthToken } from "@secure-mcp/oauth-core"
import { inSpan } from "@secure-mcp/oauth-core/internal"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Result from "effect/Result"
import type { Client } from "../client/Client.ts"
import type { AuthorizationServerMetadata } from "../discovery/AuthorizationServerMetadata.ts"
import { Discovery } from "../discovery/Discovery.ts"
import { configuredEndpoint, discoveredEndpoint, type Endpoint } from "../endpoint/Endpoint.ts"
import type { EndpointClient } from "../endpoint/EndpointClient.ts"
import { chooseAuthorizationServer, type ChosenServer } from "./AuthorizationServerChoice.ts"
import type { ProtectedResourceMetadata } from "../discovery/ProtectedResourceMetadata.ts"
import { ClientIdentity, type GrantContext } from "./ClientIdentity.ts"
import { configuredClient, documentedClient } from "./ConfiguredClient.ts"
import type { ClientPlan } from "./RegisteredClients.ts"
import { rememberedTarget } from "./RememberedTarget.ts"
import { resourceIndicator } from "./ResourceIndicator.ts"
import { scopeToRequest } from "./Scope.ts"

/** What a request for a token is aimed at: the authorization server, our client there, the resource and the scope. */
export interface GrantTarget {
  /**
   * What identifies the server, as it was configured or discovered, for byte-wise comparison; undefined if neither names
   * one. The server's metadata may call it otherwise (`issuer_mismatch`).
   */
  readonly issuer: string | undefined
  readonly tokenEndpoint: Endpoint
  readonly authorizationEndpoint: Endpoint | undefined
  readonly revocationEndpoint: Endpoint | undefined
  readonly deviceAuthorizationEndpoint: Endpoint | undefined
  /** Undefined when everything was configured. */
  readonly metadata: AuthorizationServerMetadata | undefined
  /** The resource indicator to send (RFC 8707 §2). */
  readonly resource: string | undefined
  /** The scope to request, with `offline_access` where the server wants to be asked for it. */
  readonly scope: string | undefined
  readonly client: Client
}

/** The target of a request before its client is known, and the document that named the server, if one did. */
export interface GrantSurvey extends Omit<GrantTarget, "client"> {
  readonly protectedResource: ProtectedResourceMetadata | undefined
}

/** What `resolve` would come to. */
export interface GrantPreview extends GrantSurvey {
  readonly client: Result.Result<ClientPlan, OAuthErrorReason>
}

/** Finds the target of a request: what is configured is taken as it is, the rest is discovered. */
export class GrantTargets extends Context.Service<
  GrantTargets,
  {
    /**
     * Sends no request when everything is configured. A client is registered only when a person begins a grant;
     * without a configured or earlier registered one, anything else fails with `AuthorizationRequired`.
     */
    readonly resolve: (
      request: GrantRequest,
      context?: GrantContext
    ) => Effect.Effect<GrantTarget, OAuthErrorReason>
    /** What `resolve` would come to for a new grant, without registering a client. */
    readonly preview: (
      request: GrantRequest,
      context: GrantContext
    ) => Effect.Effect<GrantPreview, OAuthErrorReason>
    /**
     * Forgets a registered client that its server no longer knows: the next grant registers a new one. False for any
     * other client, and for one that has itself replaced another within ten minutes: those stay.
     */
    readonly forget: (target: GrantTarget) => Effect.Effect<boolean>
    /** Whether the client of a target was forgotten, so that a login with it must not go on. */
    readonly isForgotten: (target: GrantTarget) => boolean
  }
>()("@secure-mcp/oauth-flows/GrantTargets") {
  static readonly layer: Layer.Layer<GrantTargets, never, EndpointClient> = Layer.effect(
    GrantTargets,
    Effect.suspend(() => make)
  ).pipe(Layer.provide([Discovery.layer, ClientIdentity.layer]))
}

/** Whether a grant was given to this client by this issuer. If not, its refresh token must not be sent there. */
export const belongsTo = ({ grantedTo }: OAuthToken, { client, issuer }: GrantTarget): boolean =>
  grantedTo !== undefined && grantedTo.clientId === client.clientId && grantedTo.issuer === issuer

const make = Effect.gen(function* () {
  const discovery = yield* Discovery
  const identity = yield* ClientIdentity
  const resolve = (
    request: GrantRequest,
    context: GrantContext = {}
  ): Effect.Effect<GrantTarget, OAuthErrorReason> =>
    request.config.tokenUrl === undefined
      ? resolveDiscovered(request, context, discovery, identity)
      : resolveConfigured(request, context, request.config.tokenUrl)
  return GrantTargets.of({
    resolve: (request, context) => inSpan("GrantTargets.resolve")(resolve(request, context)),
    preview: Effect.fn("GrantTargets.preview")(function* (request, context) {
      const { issuer, tokenUrl } = request.config
      if (tokenUrl !== undefined) {
        const client = clientOf(request.config, issuer ?? tokenUrl)
        return {
          ...surveyConfigured(request, context, tokenUrl),
          client: yield* Effect.result(Effect.map(client, known))
        }
      }
      const chosen = yield* chooseAuthorizationServer(request, context, discovery)
      const survey = surveyDiscovered(request, context, chosen)
      return {
        ...survey,
        client: yield* Effect.result(identity.plan({ request, context, ...survey }))
      }
    }),
    forget: ({ client, issuer }) =>
      issuer === undefined || client.source !== "registered"
        ? Effect.succeed(false)
        : identity.forget(issuer, client),
    isForgotten: ({ client, issuer }) => issuer !== undefined && identity.isForgotten(issuer, client)
  })
})

const known = (client: Client): ClientPlan => ({ _tag: "Known", client })

const resolveConfigured = Effect.fnUntraced(function* (
  request: GrantRequest,
  context: GrantContext,
  tokenUrl: string
) {
  const { protectedResource: _, ...survey } = surveyConfigured(request, context, tokenUrl)
  const client = yield* clientOf(request.config, survey.issuer ?? tokenUrl)
  return { ...survey, client } satisfies GrantTarget
})

const surveyConfigured = (request: GrantRequest, context: GrantContext, tokenUrl: string): GrantSurvey => ({
  issuer: request.config.issuer,
  tokenEndpoint: configuredEndpoint("token", tokenUrl),
  ...configuredEndpoints(request.config),
  metadata: undefined,
  protectedResource: undefined,
  resource: resourceIndicator(request, undefined, context.previous),
  scope: scopeToRequest(request, undefined, undefined)
})

/** Without metadata the configuration alone says whether the server reads our metadata document. */
const clientOf = (config: OAuthConfig, audience: string) =>
  config.clientId === undefined && config.clientMetadataUrl !== undefined
    ? Effect.succeed(documentedClient(config, config.clientMetadataUrl, audience, undefined))
    : configuredClient(config, audience, undefined)

const configuredEndpoints = (config: OAuthConfig) => {
  const at = (kind: string, url: string | undefined) =>
    url === undefined ? undefined : configuredEndpoint(kind, url)
  return {
    authorizationEndpoint: at("authorization", config.authorizationUrl),
    revocationEndpoint: at("revocation", config.revocationUrl),
    deviceAuthorizationEndpoint: at("device authorization", config.deviceAuthorizationUrl)
  }
}

/** How long a renewal waits for metadata when the grant remembers where it is renewed. */
const patience = Duration.seconds(3)

const resolveDiscovered = Effect.fnUntraced(function* (
  request: GrantRequest,
  context: GrantContext,
  discovery: Discovery["Service"],
  identity: ClientIdentity["Service"]
) {
  const remembered = yield* rememberedTarget(request, context.previous)
  const choice = chooseAuthorizationServer(request, context, discovery)
  const chosen = remembered === undefined ? yield* choice : yield* orRemembered(choice, remembered)
  return "client" in chosen ? chosen : yield* discoveredTarget(request, context, chosen, identity)
})

/**
 * What a renewal needs, the grant remembers: metadata that is away, or that only a challenge shows the way to, does not
 * keep it from being renewed. An authorization server that is only guessed does not replace the one it belongs to.
 */
const orRemembered = (choice: Effect.Effect<ChosenServer, OAuthErrorReason>, remembered: GrantTarget) =>
  choice.pipe(
    Effect.timeoutOption(patience),
    Effect.map(Option.getOrUndefined),
    Effect.catch(({ message }) =>
      Effect.as(Effect.logDebug(`Using the endpoints that the grant remembers: ${message}`), undefined)
    ),
    Effect.map((chosen): ChosenServer | GrantTarget =>
      chosen === undefined || (chosen.isGuessed && chosen.issuer !== remembered.issuer) ? remembered : chosen
    )
  )

const discoveredTarget = Effect.fnUntraced(function* (
  request: GrantRequest,
  context: GrantContext,
  chosen: ChosenServer,
  identity: ClientIdentity["Service"]
) {
  const { protectedResource: _, ...survey } = surveyDiscovered(request, context, chosen)
  const client = yield* identity.identify({ request, context, ...survey })
  return { ...survey, client } satisfies GrantTarget
})

const surveyDiscovered = (
  request: GrantRequest,
  context: GrantContext,
  { issuer, metadata, protectedResource }: ChosenServer
) => {
  const at = (kind: string, url: string | undefined) =>
    url === undefined ? undefined : discoveredEndpoint(kind, url)
  const configured = configuredEndpoints(request.config)
  return {
    issuer,
    tokenEndpoint: discoveredEndpoint("token", metadata.tokenEndpoint),
    authorizationEndpoint: at("authorization", metadata.authorizationEndpoint),
    revocationEndpoint: configured.revocationEndpoint ?? at("revocation", metadata.revocationEndpoint),
    deviceAuthorizationEndpoint:
      configured.deviceAuthorizationEndpoint ??
      at("device authorization", metadata.deviceAuthorizationEndpoint),
    metadata,
    protectedResource,
    resource: resourceIndicator(request, protectedResource, context.previous),
    scope: scopeToRequest(request, protectedResource, metadata)
  } satisfies GrantSurvey
}
