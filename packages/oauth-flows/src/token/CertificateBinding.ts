import { CertificateBindingMismatch } from "@secure-mcp/oauth-core"
import type { GrantRequest } from "@secure-mcp/oauth-core"
import { inSpan } from "@secure-mcp/oauth-core/internal"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { readSuccessFields, unusableResponse } from "../endpoint/SuccessResponse.ts"
import type { Client } from "../client/Client.ts"
import { configuredEndpoint, type Endpoint } from "../endpoint/Endpoint.ts"
import { EndpointClient } from "../endpoint/EndpointClient.ts"
import { jwtClaims } from "./JwtClaims.ts"

/** An access token that was just granted. */
export interface GrantedAccessToken {
  readonly accessToken: Redacted.Redacted
  readonly request: GrantRequest
  /** The client it was granted to. */
  readonly client: Client
  /** The endpoint that granted it. */
  readonly endpoint: Endpoint
  /** `x5t#S256` of the certificate that was presented there, if one was. */
  readonly certificateThumbprint: string | undefined
  /** Runs before the introspection endpoint is asked, if it is. */
  readonly beforeIntrospection: Effect.Effect<void, never, EndpointClient>
}

/**
 * Fails for a token that is bound to another certificate than the one presented when it was requested (RFC 8705 §3):
 * the MCP server would refuse it. A JWT is read, an opaque token is introspected where `introspection_url` is
 * configured. A token that is bound to no certificate can be used over any connection.
 */
export const checkCertificateBinding = Effect.fnUntraced(function* (token: GrantedAccessToken) {
  const { accessToken, certificateThumbprint, endpoint } = token
  if (certificateThumbprint === undefined) return
  const claims = jwtClaims(Redacted.value(accessToken)) ?? (yield* introspect(token))
  if (claims === undefined) return
  const bound = boundThumbprint(claims)
  if (Predicate.isNullish(bound)) return yield* Effect.logDebug("The token is bound to no certificate")
  if (bound !== certificateThumbprint) {
    return yield* new CertificateBindingMismatch({ endpoint: endpoint.name, certificateThumbprint })
  }
}, inSpan("CertificateBinding.check"))

/** RFC 8705 §3.1 and §3.2 */
const boundThumbprint = ({ cnf }: Readonly<Record<string, unknown>>): unknown =>
  Predicate.hasProperty(cnf, "x5t#S256") ? cnf["x5t#S256"] : undefined

/**
 * Introspects an opaque token (RFC 7662 §2), once. A failure is no reason to refuse the token, because the MCP server
 * decides in the end. Nor is `active: false`, which also means that the client may not introspect (§2.2).
 */
const introspect = Effect.fn("CertificateBinding.introspect")(function* ({
  accessToken,
  beforeIntrospection,
  client,
  request
}: GrantedAccessToken) {
  const { introspectionUrl } = request.config
  if (introspectionUrl === undefined) return undefined
  yield* beforeIntrospection
  const endpoint = configuredEndpoint("introspection", introspectionUrl)
  const parameters = { token: accessToken, token_type_hint: "access_token" }
  return yield* (yield* EndpointClient)
    .post({ request, endpoint, client, parameters }, readSuccessFields(endpoint))
    .pipe(
      Effect.filterOrElse(
        ({ active }) => active === true,
        () =>
          unusableResponse(
            endpoint,
            "it does not call the token active. Check that this client may introspect it"
          )
      ),
      Effect.catch((reason) =>
        Effect.as(
          Effect.logWarning(
            `Which certificate the token is bound to is not known, and it is kept: ${reason.message}`
          ),
          undefined
        )
      )
    )
})
