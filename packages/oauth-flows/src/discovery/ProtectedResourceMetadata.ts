import { DiscoveryFailed, endpointProblem } from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { withoutQuery } from "../endpoint/Endpoint.ts"
import type { EndpointClient } from "../endpoint/EndpointClient.ts"
import { firstOf, readMetadata } from "./MetadataDocument.ts"
import { protectedResourceMetadataUrls } from "./WellKnown.ts"

/** Protected resource metadata (RFC 9728 §2). URLs are as the server wrote them. */
export const ProtectedResourceMetadata = Schema.Struct({
  resource: Schema.String,
  authorizationServers: Schema.optionalKey(Schema.Array(Schema.String)),
  scopesSupported: Schema.optionalKey(Schema.Array(Schema.String))
}).pipe(
  Schema.encodeKeys({
    authorizationServers: "authorization_servers",
    scopesSupported: "scopes_supported"
  })
)

/** Protected resource metadata. */
export interface ProtectedResourceMetadata extends Schema.Schema.Type<typeof ProtectedResourceMetadata> {}

/**
 * Finds the metadata of an MCP server: at the URL in its challenge, else at the well-known URL with its path, else at
 * the one of its origin. A document about another resource ends the search with an error, because its server may want
 * a token for that resource.
 */
export const findProtectedResource = Effect.fn("ProtectedResourceMetadata.find")(function* (
  resourceUrl: string,
  request: GrantRequest
): Effect.fn.Return<ProtectedResourceMetadata, OAuthErrorReason, EndpointClient> {
  const { challenge, config } = request
  const challenged = challenge?.resourceMetadata
  const urls = challenged === undefined ? protectedResourceMetadataUrls(resourceUrl) : [challenged]
  const read = Effect.fnUntraced(function* (url: string) {
    const unusable = endpointProblem(url, config)
    if (unusable !== undefined) return yield* refuse(url, `its URL ${unusable}`)
    const metadata = yield* readMetadata(ProtectedResourceMetadata, {
      kind: "protected resource",
      url,
      request
    })
    if (!describes(metadata.resource, { resourceUrl, url, configured: config.resource })) {
      return yield* refuse(
        url,
        "its `resource` is not the MCP server that was asked (RFC 9728 §3.3). " +
          "If it is meant, configure it as `resource`"
      )
    }
    return metadata
  })
  return yield* firstOf(urls, resourceUrl, read, "Configure `issuer`, if the server has no such metadata")
})

const refuse = (url: string, problem: string) =>
  Effect.fail(new DiscoveryFailed({ url: withoutQuery(url), problem }))

/**
 * Whether a document describes the server (RFC 9728 §3.3): its resource is the server's URL or the configured one, or
 * a parent path of the server on the same origin whose own well-known URL the document was read from. The last
 * condition stops one tenant of a host from obtaining tokens that are valid for all of them.
 */
const describes = (
  resource: string,
  asked: { readonly resourceUrl: string; readonly url: string; readonly configured: string | undefined }
): boolean => {
  if (resource === asked.configured) return true
  if (!URL.canParse(resource) || resource.includes("#")) return false
  if (canonical(resource) === canonical(asked.resourceUrl)) return true
  const [ownPlace = ""] = protectedResourceMetadataUrls(resource)
  return isAbove(resource, asked.resourceUrl) && canonical(ownPlace) === canonical(asked.url)
}

/** The MCP specification treats a resource with and without a final slash as the same. */
const canonical = (text: string): string => {
  const { origin, pathname, search, username, password } = new URL(text)
  return JSON.stringify([origin, username, password, pathname.replace(/\/$/, ""), search])
}

const isAbove = (resource: string, server: string): boolean => {
  const [upper, lower] = [new URL(resource), new URL(server)]
  const path = upper.pathname.replace(/\/?$/, "/")
  return upper.origin === lower.origin && upper.search === "" && lower.pathname.startsWith(path)
}
