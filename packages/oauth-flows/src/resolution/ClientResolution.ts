import { DiscoveryFailed, endpointProblem, isPersonalGrant, Misconfigured } from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthConfig, OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ClientIdentity } from "./ClientIdentity.ts"
import { configuredClient, documentedClient } from "./ConfiguredClient.ts"
import { Discovery } from "../discovery/Discovery.ts"
import { withoutQuery } from "../endpoint/DisplayUrl.ts"
import { configuredEndpoint, discoveredEndpoint } from "../endpoint/Endpoint.ts"
import type { EndpointClient } from "../endpoint/EndpointClient.ts"
import type { ProtectedResourceMetadata } from "../discovery/ProtectedResourceMetadata.ts"
import { type ResolvedClient, ResolvedClients, type ResolveOptions } from "./ResolvedClient.ts"

/** Implements `ResolvedClients`: what is configured is taken as it is, the rest is discovered. */
const layer: Layer.Layer<ResolvedClients, never, EndpointClient> = Layer.effect(
  ResolvedClients,
  Effect.suspend(() => make)
).pipe(Layer.provide([Discovery.layer, ClientIdentity.layer]))

export const ClientResolution = { layer }

const make = Effect.gen(function* () {
  const discovery = yield* Discovery
  const identity = yield* ClientIdentity
  const resolve = (
    request: GrantRequest,
    options: ResolveOptions = {}
  ): Effect.Effect<ResolvedClient, OAuthErrorReason> =>
    request.config.tokenUrl === undefined
      ? resolveDiscovered(request, options, discovery, identity)
      : resolveConfigured(request, request.config.tokenUrl)
  return ResolvedClients.of({
    resolve: Effect.fn("ClientResolution.resolve")(resolve),
    forget: identity.forget
  })
})

const resolveConfigured = Effect.fnUntraced(function* (request: GrantRequest, tokenUrl: string) {
  const { config } = request
  const { issuer } = config
  return {
    issuer,
    tokenEndpoint: configuredEndpoint("token", tokenUrl),
    ...configuredEndpoints(config),
    metadata: undefined,
    resource: resourceOf(request, undefined),
    scope: scopeOf(request, undefined),
    client: yield* clientOf(config, issuer ?? tokenUrl)
  } satisfies ResolvedClient
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

const resolveDiscovered = Effect.fnUntraced(function* (
  request: GrantRequest,
  options: ResolveOptions,
  discovery: Discovery["Service"],
  identity: ClientIdentity["Service"]
) {
  const protectedResource =
    request.config.issuer === undefined ? yield* askResource(request, discovery) : undefined
  const issuer = request.config.issuer ?? (yield* chooseIssuer(request, protectedResource, options))
  const metadata = yield* discovery.authorizationServer(issuer, request)
  const at = (kind: string, url: string | undefined) =>
    url === undefined ? undefined : discoveredEndpoint(kind, url)
  const configured = configuredEndpoints(request.config)
  const scope = scopeOf(request, protectedResource)
  return {
    issuer,
    tokenEndpoint: discoveredEndpoint("token", metadata.tokenEndpoint),
    authorizationEndpoint: at("authorization", metadata.authorizationEndpoint),
    revocationEndpoint: configured.revocationEndpoint ?? at("revocation", metadata.revocationEndpoint),
    deviceAuthorizationEndpoint:
      configured.deviceAuthorizationEndpoint ??
      at("device authorization", metadata.deviceAuthorizationEndpoint),
    metadata,
    resource: resourceOf(request, protectedResource),
    scope,
    client: yield* identity.identify({
      request,
      metadata,
      options,
      scope: withOfflineAccess(scope, metadata.scopesSupported)
    })
  } satisfies ResolvedClient
})

const askResource = (
  { config, ...request }: GrantRequest,
  discovery: Discovery["Service"]
): Effect.Effect<ProtectedResourceMetadata, OAuthErrorReason> => {
  const { resourceUrl } = request
  if (resourceUrl === undefined) {
    return Effect.fail(
      new Misconfigured({
        problem: "configure `token_url` or `issuer`: there is no server URL where discovery could start"
      })
    )
  }
  const unusable = endpointProblem(resourceUrl, config)
  return unusable === undefined
    ? discovery.protectedResource(resourceUrl, { ...request, config })
    : Effect.fail(new Misconfigured({ problem: `the URL of the MCP server ${unusable}` }))
}

/** Which one is ours to choose (RFC 9728 §7.6): the one a grant belongs to already, else the first. */
const chooseIssuer = (
  { resourceUrl = "" }: GrantRequest,
  protectedResource: ProtectedResourceMetadata | undefined,
  { previous }: ResolveOptions
) => {
  const offered = protectedResource?.authorizationServers ?? []
  const issuer = offered.find((issuer) => issuer === previous?.grantedTo?.issuer) ?? offered[0]
  return issuer === undefined
    ? Effect.fail(
        new DiscoveryFailed({
          url: withoutQuery(resourceUrl),
          problem: "its metadata names no authorization server. Configure `issuer`"
        })
      )
    : Effect.succeed(issuer)
}

/** RFC 8707 §2; the MCP specification wants it in every request for a person's token. */
const resourceOf = (
  { config, resourceUrl }: GrantRequest,
  protectedResource: ProtectedResourceMetadata | undefined
): string | undefined => {
  const isPersonal = isPersonalGrant(config.grantType) || config.identityProvider !== undefined
  return (
    config.resource ??
    protectedResource?.resource ??
    (isPersonal ? resourceUrl?.replace(/#.*$/s, "") : undefined)
  )
}

const scopeOf = (
  { challenge, config }: GrantRequest,
  protectedResource: ProtectedResourceMetadata | undefined
): string | undefined => {
  const wanted = [config.scope, challenge?.scope].filter((scope) => scope !== undefined && scope !== "")
  if (wanted.length === 0) return joined(protectedResource?.scopesSupported ?? [])
  return wanted.length === 1 ? wanted[0] : joined(wanted.join(" ").split(/\s+/))
}

/** A registration that leaves it out could not ask for it later. */
const withOfflineAccess = (scope: string | undefined, supported: ReadonlyArray<string> | undefined) =>
  scope !== undefined && supported?.includes("offline_access") === true
    ? joined([...scope.split(" "), "offline_access"])
    : scope

const joined = (names: ReadonlyArray<string>): string | undefined =>
  names.length === 0 ? undefined : [...new Set(names)].join(" ")
