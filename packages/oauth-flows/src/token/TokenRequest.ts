import type { GrantRequest } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import { checkCertificateBinding } from "./CertificateBinding.ts"
import { EndpointClient } from "../endpoint/EndpointClient.ts"
import type { FormParameters } from "../client/Form.ts"
import type { ResolvedClient } from "../resolution/ResolvedClient.ts"
import type { Scope } from "../resolution/Scope.ts"
import { readTokenResponse } from "./TokenResponse.ts"

/**
 * Asks the token endpoint for a token, once (RFC 6749 §3.2), with the additional parameters and headers of the
 * configuration. They never replace what the protocol sets. A token that is bound to another certificate than ours
 * is refused.
 *
 * @param parameters what the grant asks with
 * @param scope what was granted if the answer does not say (RFC 6749 §5.1, §6)
 */
export const requestToken = Effect.fn("TokenRequest.requestToken")(function* (
  request: GrantRequest,
  { client, tokenEndpoint: endpoint }: Pick<ResolvedClient, "client" | "tokenEndpoint">,
  parameters: FormParameters,
  scope: Scope
) {
  const { additionalParams, customHeaders } = request.config
  const endpointClient = yield* EndpointClient
  yield* Effect.logDebug(`Asking ${endpoint.name}`)
  // Its life is counted from here, because the server may have begun to count before the answer was on its way.
  const issuedAt = yield* Clock.currentTimeMillis
  const readToken = readTokenResponse({ config: request.config, endpoint, issuedAt, scope })
  const { certificateThumbprint, token } = yield* endpointClient.post(
    {
      request,
      endpoint,
      client,
      parameters: { ...Record.map(additionalParams, asText), ...parameters },
      headers: customHeaders
    },
    (response, refuse, certificateThumbprint) =>
      Effect.map(readToken(response, refuse), (token) => ({
        certificateThumbprint,
        token
      }))
  )
  const { accessToken } = token
  yield* checkCertificateBinding({ accessToken, request, client, endpoint, certificateThumbprint })
  yield* Effect.logInfo(`Got a token from ${endpoint.name}`)
  return token
})

const asText = (value: Redacted.Redacted<unknown>): Redacted.Redacted =>
  Redacted.make(String(Redacted.value(value)))
