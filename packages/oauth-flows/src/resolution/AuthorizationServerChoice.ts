import { DiscoveryFailed, endpointProblem, Misconfigured } from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthErrorReason, OAuthToken } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import type { AuthorizationServer } from "../discovery/AuthorizationServerMetadata.ts"
import type { Discovery } from "../discovery/Discovery.ts"
import type { NoResourceMetadata, ProtectedResourceMetadata } from "../discovery/ProtectedResourceMetadata.ts"
import { withoutQuery } from "../endpoint/Endpoint.ts"
import type { GrantContext } from "./ClientIdentity.ts"

/** An authorization server, and the document that named it, if one did. */
export interface ChosenServer extends AuthorizationServer {
  readonly protectedResource: ProtectedResourceMetadata | undefined
  /** True if nothing names it: it is the MCP server's own origin. */
  readonly isGuessed: boolean
}

/**
 * The authorization server of a request: the configured issuer, else one that the metadata of the MCP server names, else
 * that of the server's own origin, where the server has no such metadata (MCP 2025-03-26).
 *
 * @param context.previous its issuer is chosen again, if it is still named
 */
export const chooseAuthorizationServer = Effect.fn("AuthorizationServerChoice.choose")(function* (
  request: GrantRequest,
  { fresh = false, previous }: GrantContext,
  discovery: Discovery["Service"]
): Effect.fn.Return<ChosenServer, OAuthErrorReason> {
  const configured = request.config.issuer
  if (configured !== undefined) return yield* serverOf(configured, undefined, request, discovery)
  const resourceUrl = yield* discoverableUrl(request)
  return yield* discovery.protectedResource(resourceUrl, request, { fresh }).pipe(
    Effect.flatMap((protectedResource) =>
      Effect.flatMap(chooseIssuer(resourceUrl, protectedResource, previous), (issuer) =>
        serverOf(issuer, protectedResource, request, discovery)
      )
    ),
    Effect.catchTag("NoResourceMetadata", (missing) =>
      serverAtOrigin(resourceUrl, missing, request, discovery)
    )
  )
})

const serverOf = (
  issuer: string,
  protectedResource: ProtectedResourceMetadata | undefined,
  request: GrantRequest,
  discovery: Discovery["Service"]
) =>
  Effect.map(discovery.authorizationServer(issuer, request), (metadata) => ({
    issuer,
    metadata,
    protectedResource,
    isGuessed: false
  }))

/** If the origin is no authorization server either, both searches are told. */
const serverAtOrigin = (
  resourceUrl: string,
  { failure }: NoResourceMetadata,
  request: GrantRequest,
  discovery: Discovery["Service"]
) =>
  discovery.originServer(resourceUrl, request).pipe(
    Effect.map((server) => ({ ...server, protectedResource: undefined, isGuessed: true })),
    Effect.catchTag("DiscoveryFailed", ({ problem, url }) =>
      Effect.fail(new DiscoveryFailed({ url, problem: `${failure.problem}. At its own origin: ${problem}` }))
    )
  )

const discoverableUrl = ({ config, resourceUrl }: GrantRequest): Effect.Effect<string, Misconfigured> => {
  if (resourceUrl === undefined) {
    return Effect.fail(
      new Misconfigured({
        problem: "configure `token_url` or `issuer`: there is no server URL where discovery could start"
      })
    )
  }
  const unusable = endpointProblem(resourceUrl, config)
  return unusable === undefined
    ? Effect.succeed(resourceUrl)
    : Effect.fail(new Misconfigured({ problem: `the URL of the MCP server ${unusable}` }))
}

/** The client may choose (RFC 9728 §7.6): the issuer that the grant belongs to, else the first. */
const chooseIssuer = (
  resourceUrl: string,
  { authorizationServers: offered = [] }: ProtectedResourceMetadata,
  previous: OAuthToken | undefined
): Effect.Effect<string, DiscoveryFailed> => {
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
