import { DiscoveryFailed, endpointProblem } from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { shownUrl, withoutQuery } from "../endpoint/Endpoint.ts"
import type { EndpointClient } from "../endpoint/EndpointClient.ts"
import {
  MetadataText,
  MetadataTexts,
  NotHere,
  notFound,
  readMetadata,
  searchPlaces
} from "./MetadataDocument.ts"
import { originMetadataUrl, protectedResourceMetadataUrls } from "./WellKnown.ts"

/** Protected resource metadata (RFC 9728 §2). URLs are as the server wrote them. */
export const ProtectedResourceMetadata = Schema.Struct({
  resource: MetadataText,
  authorizationServers: Schema.optionalKey(MetadataTexts),
  scopesSupported: Schema.optionalKey(MetadataTexts)
}).pipe(
  Schema.encodeKeys({
    authorizationServers: "authorization_servers",
    scopesSupported: "scopes_supported"
  })
)

/** Protected resource metadata. */
export interface ProtectedResourceMetadata extends Schema.Schema.Type<typeof ProtectedResourceMetadata> {}

/** The MCP server has no such metadata anywhere, as servers of MCP 2025-03-26 have not. */
export class NoResourceMetadata extends Data.TaggedError("NoResourceMetadata")<{
  /** What was found instead, and what to do. */
  readonly failure: DiscoveryFailed
}> {}

/**
 * Finds the metadata of an MCP server: at the URL in its challenge, else at the well-known URL with its path, else at
 * the one of its origin. A document about another resource ends the search with an error, because its server may want
 * a token for that resource.
 */
export const findProtectedResource = Effect.fn("ProtectedResourceMetadata.find")(function* (
  resourceUrl: string,
  request: GrantRequest
): Effect.fn.Return<ProtectedResourceMetadata, OAuthErrorReason | NoResourceMetadata, EndpointClient> {
  const challenged = request.challenge?.resourceMetadata
  const wellKnown = protectedResourceMetadataUrls(resourceUrl)
  const read = (url: string) =>
    url === challenged && !wellKnown.includes(url)
      ? readChallenged(url, resourceUrl, request)
      : readWellKnown(url, resourceUrl, request)
  const urls = [...new Set(challenged === undefined ? wellKnown : [challenged, ...wellKnown])]
  const found = yield* searchPlaces("protected resource", urls, read)
  if (Result.isSuccess(found)) return found.success
  const failure = notFound(
    resourceUrl,
    found.failure,
    "Configure `issuer`, if the server has no such metadata"
  )
  return yield* found.failure.every(({ isAbsent }) => isAbsent)
    ? new NoResourceMetadata({ failure })
    : failure
})

/**
 * What a challenge names may be wrong where a proxy stands before the server: another scheme, or a host that only the
 * server can reach. The server's own well-known places are asked then.
 */
const readChallenged = Effect.fnUntraced(function* (url: string, resourceUrl: string, request: GrantRequest) {
  const notHere = (problem: string) => Effect.fail(new NotHere({ url, problem, isAbsent: false }))
  const unusable = endpointProblem(url, request.config)
  if (unusable !== undefined) return yield* notHere(`its URL ${unusable}`)
  const metadata = yield* readDocument(url, request).pipe(
    Effect.catchTags({
      ConnectionFailed: ({ problem }) => notHere(problem),
      RequestTimeout: ({ seconds }) => notHere(`no answer within ${seconds} s`),
      DiscoveryFailed: ({ problem }) => notHere(problem)
    })
  )
  return yield* checkResource(metadata, url, resourceUrl, request)
})

const readWellKnown = Effect.fnUntraced(function* (url: string, resourceUrl: string, request: GrantRequest) {
  return yield* checkResource(yield* readDocument(url, request), url, resourceUrl, request)
})

const readDocument = (url: string, request: GrantRequest) =>
  readMetadata(ProtectedResourceMetadata, { kind: "protected resource", url, request })

const checkResource = Effect.fnUntraced(function* (
  metadata: ProtectedResourceMetadata,
  url: string,
  resourceUrl: string,
  request: GrantRequest
) {
  const { resource } = metadata
  const isMatch =
    describes(resource, { resourceUrl, url, configured: request.config.resource }) ||
    (yield* isConfirmedByOrigin(metadata, url, resourceUrl, request))
  return isMatch
    ? metadata
    : yield* new DiscoveryFailed({
        url: withoutQuery(url),
        problem:
          `its \`resource\` ${shownUrl(resource)} is not the MCP server ${withoutQuery(resourceUrl)} that was ` +
          "asked (RFC 9728 §3.3). If it is meant, configure it as `resource`"
      })
})

/**
 * Whether a document may speak for the server (RFC 9728 §3.3): the resource is the server's URL, with or without its
 * query, or the configured one, or it is above the server on the same origin and the document stands where that
 * resource itself keeps it. The last condition keeps one tenant of a host from asking for tokens that are good for all
 * of them.
 */
const describes = (
  resource: string,
  asked: {
    readonly resourceUrl: string
    readonly url: string
    readonly configured: GrantRequest["config"]["resource"]
  }
): boolean => {
  if (resource === asked.configured) return true
  if (!URL.canParse(resource) || resource.includes("#")) return false
  if (canonical(resource) === canonical(asked.resourceUrl)) return true
  if (canonical(resource) === canonical(withoutQuery(asked.resourceUrl))) return true
  const [ownPlace = ""] = protectedResourceMetadataUrls(resource)
  return isAbove(resource, asked.resourceUrl) && canonical(ownPlace) === canonical(asked.url)
}

/**
 * Whether a document at the server's own well-known place, which names the whole origin, says what the origin says of
 * itself. It may name only authorization servers that the origin names: a tenant of the host must not choose who
 * gives out tokens for all of it.
 */
const isConfirmedByOrigin = Effect.fnUntraced(function* (
  { authorizationServers = [], resource }: ProtectedResourceMetadata,
  url: string,
  resourceUrl: string,
  request: GrantRequest
) {
  const isOrigin = URL.canParse(resource) && !resource.includes("#") && isAbove(resource, resourceUrl)
  const place = isOrigin ? originMetadataUrl(resource) : undefined
  if (place === undefined || !protectedResourceMetadataUrls(resourceUrl).includes(url)) return false
  const document = yield* Effect.option(readDocument(place, request))
  return Option.exists(
    document,
    (origin) =>
      URL.canParse(origin.resource) &&
      canonical(origin.resource) === canonical(resource) &&
      authorizationServers.every((issuer) => origin.authorizationServers?.includes(issuer) === true)
  )
})

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
