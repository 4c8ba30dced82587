import type { GrantRequest, OAuthErrorReason, OAuthToken } from "@secure-mcp/oauth-core"
import { OAuthError } from "@secure-mcp/oauth-core"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { makeGrants, requestFor } from "./TestGrants.ts"

type Fields = Readonly<Record<string, unknown>>

export const redirectUri = "http://127.0.0.1:8787/oauth/callback"

/** An authorization server that is found through its metadata, and a person's grant there. */
export const makeLogin = Effect.fnUntraced(function* (metadata: Fields = {}, oauth: Fields = {}) {
  const server = yield* makeServerWithMetadata(metadata)
  const grants = yield* makeGrants({ authTimeout: "1 hour" })
  const request = requestFor({
    grant_type: "authorization_code",
    issuer: server.url,
    client_secret: undefined,
    resource: "https://mcp.example.com/mcp",
    ...oauth
  })
  const begin = (wanted: GrantRequest = request) =>
    Effect.map(grants.authorize(wanted, redirectUri), ({ authorizationUrl }) => new URL(authorizationUrl))
  return { server, grants, request, begin }
})

export const makeServerWithMetadata = Effect.fnUntraced(function* (metadata: Fields = {}) {
  const server = yield* StubAuthorizationServer.make()
  yield* server.always(
    "/.well-known/oauth-authorization-server",
    Answer.json({
      issuer: server.url,
      token_endpoint: server.endpoint("/token"),
      authorization_endpoint: server.endpoint("/authorize"),
      revocation_endpoint: server.endpoint("/revoke"),
      device_authorization_endpoint: server.endpoint("/device"),
      code_challenge_methods_supported: ["plain", "S256"],
      authorization_response_iss_parameter_supported: true,
      ...metadata
    })
  )
  return server
})

/** The parameters a server sends back, with a code; a field set to `undefined` is left out. */
export const responseTo = (url: URL, fields: Readonly<Record<string, string | undefined>> = {}) => {
  const complete = {
    state: url.searchParams.get("state") ?? "",
    iss: url.origin,
    code: "the-code",
    ...fields
  }
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(complete)) {
    if (value !== undefined) parameters.set(name, value)
  }
  return parameters
}

/** What the endpoint received, as plain objects. */
export const formsAt = (server: StubAuthorizationServer, path = "/token") =>
  Effect.map(server.requestsTo(path), (requests) => requests.map(({ form }) => Object.fromEntries(form)))

/** The reason something failed for, by its name. */
export const failureOf = <A, R>(effect: Effect.Effect<A, OAuthError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

export const assertFailsWith = <A, R>(
  effect: Effect.Effect<A, OAuthError, R>,
  tag: OAuthErrorReason["_tag"]
) => Effect.map(failureOf(effect), (reason) => assert.strictEqual(reason._tag, tag, reason.message))

export const accessToken = ({ accessToken }: OAuthToken) => Redacted.value(accessToken)

export const refreshToken = ({ refreshToken }: OAuthToken) => refreshToken && Redacted.value(refreshToken)
