import { DiscoveryFailed, endpointProblem } from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { withoutQuery } from "../endpoint/Endpoint.ts"
import type { EndpointClient } from "../endpoint/EndpointClient.ts"
import { firstOf, readMetadata } from "./MetadataDocument.ts"
import { protectedResourceMetadataUrls } from "./WellKnown.ts"

/** What a protected resource says of itself (RFC 9728 §2). URLs as they were written. */
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

/** What a protected resource says of itself. */
export interface ProtectedResourceMetadata extends Schema.Schema.Type<typeof ProtectedResourceMetadata> {}

/**
 * Finds the metadata of an MCP server: where its challenge says, else with the path of its URL, else at its root. A
 * document that speaks of another resource ends the search: whoever serves it may be after a token for that one.
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
    if (!speaksOf(metadata.resource, { resourceUrl, url, configured: config.resource })) {
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
 * Whether a document may speak for the server (RFC 9728 §3.3): the resource is the server's URL or the configured
 * one, or it is above the server on the same origin and the document stands where that resource itself keeps it. The
 * last condition keeps one tenant of a host from asking for tokens that are good for all of them.
 */
const speaksOf = (
  resource: string,
  asked: { readonly resourceUrl: string; readonly url: string; readonly configured: string | undefined }
): boolean => {
  if (resource === asked.configured) return true
  if (!URL.canParse(resource) || resource.includes("#")) return false
  if (canonical(resource) === canonical(asked.resourceUrl)) return true
  const [ownPlace = ""] = protectedResourceMetadataUrls(resource)
  return isAbove(resource, asked.resourceUrl) && canonical(ownPlace) === canonical(asked.url)
}

/** The MCP specification takes a resource with and without the final slash for the same. */
const canonical = (text: string): string => {
  const { origin, pathname, search, username, password } = new URL(text)
  return JSON.stringify([origin, username, password, pathname.replace(/\/$/, ""), search])
}

const isAbove = (resource: string, server: string): boolean => {
  const [upper, lower] = [new URL(resource), new URL(server)]
  const path = upper.pathname.replace(/\/?$/, "/")
  return upper.origin === lower.origin && upper.search === "" && lower.pathname.startsWith(path)
}
