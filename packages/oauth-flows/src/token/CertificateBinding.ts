import { CertificateBindingMismatch } from "@secure-mcp/oauth-core"
import type { GrantRequest } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { readAnswerFields, unusableAnswer } from "../endpoint/AnswerFields.ts"
import type { Client } from "../client/Client.ts"
import { configuredEndpoint, type Endpoint } from "../endpoint/Endpoint.ts"
import { EndpointClient } from "../endpoint/EndpointClient.ts"
import { jwtClaims } from "./JwtClaims.ts"

/** An access token as it was just granted. */
export interface FreshToken {
  readonly accessToken: Redacted.Redacted
  readonly request: GrantRequest
  /** Who asked for it. */
  readonly client: Client
  /** Who gave it. */
  readonly endpoint: Endpoint
  /** `x5t#S256` of the certificate that was presented there, if one was. */
  readonly certificateThumbprint: string | undefined
}

/**
 * Fails for a token that is bound to another certificate than the one it was asked for with (RFC 8705 §3): the MCP
 * server would refuse it. A JWT says so itself, an opaque token by introspection, where `introspection_url` is
 * configured. A token that is bound to no certificate is good over any connection.
 */
export const checkCertificateBinding = Effect.fn("CertificateBinding.check")(function* (token: FreshToken) {
  const { accessToken, certificateThumbprint, endpoint } = token
  if (certificateThumbprint === undefined) return
  const claims = jwtClaims(Redacted.value(accessToken)) ?? (yield* introspect(token))
  if (claims === undefined) return
  const bound = boundThumbprint(claims)
  if (Predicate.isNullish(bound)) return yield* Effect.logDebug("The token is bound to no certificate")
  if (bound !== certificateThumbprint) {
    return yield* new CertificateBindingMismatch({ endpoint: endpoint.name, certificateThumbprint })
  }
})

/** RFC 8705 §3.1 and §3.2 */
const boundThumbprint = ({ cnf }: Readonly<Record<string, unknown>>): unknown =>
  Predicate.hasProperty(cnf, "x5t#S256") ? cnf["x5t#S256"] : undefined

/**
 * What the server says of an opaque token (RFC 7662 §2), asked once. No answer is no reason to drop the token: its
 * refresh token may have replaced one that is used up. Nor is `active: false`, which also means that the client may
 * not ask (§2.2).
 */
const introspect = Effect.fn("CertificateBinding.introspect")(function* ({
  accessToken,
  client,
  request
}: FreshToken) {
  const { introspectionUrl } = request.config
  if (introspectionUrl === undefined) return undefined
  const endpoint = configuredEndpoint("introspection", introspectionUrl)
  const parameters = { token: accessToken, token_type_hint: "access_token" }
  return yield* (yield* EndpointClient)
    .post({ request, endpoint, client, parameters }, readAnswerFields(endpoint))
    .pipe(
      Effect.filterOrElse(
        ({ active }) => active === true,
        () =>
          unusableAnswer(
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
