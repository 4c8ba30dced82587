import {
  ConnectionFailed,
  decodeOAuthConfig,
  OAuthError,
  OAuthService,
  OAuthToken,
  type AccessTokenRequest,
  type Challenge
} from "@secure-mcp/oauth-core"
import { TokenInjector } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

/** A call as the port saw it; `refused` in plain text. */
export type Call =
  | { readonly call: "getAccessToken"; readonly request: AccessTokenRequest }
  | {
      readonly call: "refresh"
      readonly request: AccessTokenRequest
      readonly refused: string | undefined
      readonly challenge: Challenge | undefined
    }

/** Keeps the first token, and the next one after each refresh. Out of tokens, it fails as a dead endpoint does. */
export const scriptedOAuthService = (...tokens: ReadonlyArray<string>) => {
  const calls: Array<Call> = []
  let current = 0
  const give = (serverName: string, source: "cache" | "acquired") => {
    const accessToken = tokens[current]
    return accessToken === undefined
      ? Effect.fail(endpointDown(serverName))
      : Effect.succeed({ token: makeToken(accessToken), source })
  }
  const service = Layer.succeed(OAuthService, {
    peek: () => undefined,
    getAccessToken: (request) =>
      Effect.suspend(() => {
        calls.push({ call: "getAccessToken", request })
        return give(request.serverName, "cache")
      }),
    refresh: (request, { challenge, refused } = {}) =>
      Effect.suspend(() => {
        calls.push({ call: "refresh", request, refused: refused && Redacted.value(refused), challenge })
        current++
        return give(request.serverName, "acquired")
      }),
    authorize: () => Effect.die("not used here"),
    completeAuthorization: () => Effect.die("not used here"),
    authorizeDevice: () => Effect.die("not used here"),
    find: () => Effect.die("not used here"),
    invalidate: () => Effect.die("not used here"),
    revoke: () => Effect.die("not used here")
  })
  return { layer: Layer.provideMerge(TokenInjector.layer, service), calls }
}

export const makeToken = (accessToken: string) =>
  new OAuthToken({
    accessToken: Redacted.make(accessToken),
    tokenType: "Bearer",
    issuedAt: 0,
    reusable: true
  })

export const wireOAuth = {
  enabled: true,
  token_url: "https://auth.example.com/oauth/token",
  client_id: "client",
  client_secret: "canary-client-secret"
}

export const accessTokenRequest: AccessTokenRequest = {
  serverName: "remote",
  config: Result.getOrThrow(decodeOAuthConfig(wireOAuth))
}

const endpointDown = (serverName: string) =>
  new OAuthError({
    operation: "get an access token",
    serverName,
    correlationId: "1",
    reason: new ConnectionFailed({
      endpoint: "https://auth.example.com/oauth/token",
      problem: "ECONNREFUSED"
    })
  })
