import { DiscoveryFailed, isLoopbackHost, isPersonalGrant } from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { withoutQuery } from "../endpoint/Endpoint.ts"
import type { EndpointClient } from "../endpoint/EndpointClient.ts"
import {
  type AuthorizationServer,
  type AuthorizationServerMetadata,
  searchAuthorizationServer
} from "./AuthorizationServerMetadata.ts"
import { notFound } from "./MetadataDocument.ts"
import { serverOriginMetadataUrls } from "./WellKnown.ts"

/**
 * The authorization server of an MCP server of the revision 2025-03-26, which has no resource metadata: the server's
 * own origin (MCP 2025-03-26, "Server Metadata Discovery" and "Fallbacks for Servers without Metadata Discovery"). Its
 * document stands at the well-known place with the server's path or without; without a document a person's login uses
 * the default endpoints.
 */
export const findOriginServer = Effect.fn("OriginServer.find")(function* (
  resourceUrl: string,
  request: GrantRequest
): Effect.fn.Return<AuthorizationServer, OAuthErrorReason, EndpointClient> {
  const { hostname, origin, pathname, protocol } = new URL(resourceUrl)
  if (protocol !== "https:" && !isLoopbackHost(hostname)) {
    return yield* new DiscoveryFailed({
      url: withoutQuery(resourceUrl),
      problem: `${advice}: the origin of a server without https is not used as its authorization server`
    })
  }
  const withPath = origin + pathname
  const issuers = [origin, withPath, withPath.replace(/\/$/, "")] as const
  const found = yield* searchAuthorizationServer(serverOriginMetadataUrls(resourceUrl), issuers, request)
  if (Result.isSuccess(found)) return found.success
  // A client of its own would send its credentials to an endpoint that nobody named.
  const mayGuess =
    isPersonalGrant(request.config.grantType) && found.failure.every(({ isAbsent }) => isAbsent)
  return mayGuess
    ? { issuer: origin, metadata: defaultEndpoints(origin) }
    : yield* notFound(resourceUrl, found.failure, advice)
})

const advice = "Configure `issuer`, if the server has no such metadata"

/** That revision wants PKCE of every client, so S256 is taken for granted. */
const defaultEndpoints = (origin: string): AuthorizationServerMetadata => ({
  issuer: origin,
  authorizationEndpoint: `${origin}/authorize`,
  tokenEndpoint: `${origin}/token`,
  registrationEndpoint: `${origin}/register`,
  codeChallengeMethodsSupported: ["S256"]
})
