import type { GrantRequest, OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { discoveredEndpoint, withoutQuery } from "../endpoint/Endpoint.ts"
import { EndpointClient } from "../endpoint/EndpointClient.ts"
import { longestDocument } from "../endpoint/ResponseBody.ts"
import { readSuccessFields, unusableResponse } from "../endpoint/SuccessResponse.ts"
import { isIssuerOf } from "./Issuer.ts"
import {
  MetadataText,
  MetadataTexts,
  NotHere,
  notFound,
  readMetadata,
  searchPlaces
} from "./MetadataDocument.ts"
import { authorizationServerMetadataUrls } from "./WellKnown.ts"

const IssuerMetadata = Schema.Struct({
  issuer: MetadataText,
  jwksUri: Schema.optionalKey(MetadataText),
  authorizationEndpoint: Schema.optionalKey(MetadataText),
  registrationEndpoint: Schema.optionalKey(MetadataText),
  /** Required of an OpenID provider (OpenID Connect Discovery §3), and unknown to other authorization servers. */
  idTokenSigningAlgorithms: Schema.optionalKey(MetadataTexts),
  introspectionEndpoint: Schema.optionalKey(MetadataText),
  introspectionEndpointAuthMethodsSupported: Schema.optionalKey(MetadataTexts)
}).pipe(
  Schema.encodeKeys({
    jwksUri: "jwks_uri",
    authorizationEndpoint: "authorization_endpoint",
    registrationEndpoint: "registration_endpoint",
    idTokenSigningAlgorithms: "id_token_signing_alg_values_supported",
    introspectionEndpoint: "introspection_endpoint",
    introspectionEndpointAuthMethodsSupported: "introspection_endpoint_auth_methods_supported"
  })
)

/** What whoever gets tokens from others uses of the metadata of their issuer (RFC 8414 §2, OpenID Connect Discovery §3). */
export interface IssuerMetadata extends Schema.Schema.Type<typeof IssuerMetadata> {}

/**
 * Finds what the metadata of an issuer says to a resource server that gets its tokens: RFC 8414 or OpenID Connect Discovery.
 * A document under another name is not used, because it could be another server's.
 */
export const findIssuerMetadata = Effect.fn("IssuerKeys.findIssuerMetadata")(function* (
  issuer: string,
  request: GrantRequest
): Effect.fn.Return<IssuerMetadata, OAuthErrorReason, EndpointClient> {
  const found = yield* searchPlaces(
    "authorization server",
    authorizationServerMetadataUrls(issuer),
    Effect.fnUntraced(function* (url: string) {
      const metadata = yield* readMetadata(IssuerMetadata, { kind: "authorization server", url, request })
      return isIssuerOf(issuer, metadata.issuer)
        ? metadata
        : yield* new NotHere({
            url,
            isAbsent: false,
            problem: `its \`issuer\` is not ${withoutQuery(issuer)} (RFC 8414 §3.3)`
          })
    })
  )
  return Result.isSuccess(found) ? found.success : yield* notFound(issuer, found.failure, "Check the issuer")
})

/** Reads the keys of an issuer from its `jwks_uri` (RFC 7517 §5), as they are written there. */
export const fetchKeySet = Effect.fn("IssuerKeys.fetchKeySet")(function* (
  url: string,
  request: GrantRequest
): Effect.fn.Return<ReadonlyArray<unknown>, OAuthErrorReason, EndpointClient> {
  const endpoint = discoveredEndpoint("key set", url)
  const fields = yield* (yield* EndpointClient).send(
    {
      request,
      endpoint,
      message: HttpClientRequest.get(url),
      secrets: [],
      followsRedirects: true,
      longestBody: longestDocument
    },
    readSuccessFields(endpoint)
  )
  const { keys } = fields
  return Array.isArray(keys) ? keys : yield* unusableResponse(endpoint, "it has no list of `keys`")
})
