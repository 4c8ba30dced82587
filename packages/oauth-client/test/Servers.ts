import {
  createOAuthClient,
  type OAuthClient,
  type OAuthClientOptions,
  OAuthClientError
} from "@secure-mcp/oauth-client"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"

/** The stub as authorization server (`/token`) and as MCP server (`/mcp`), and the options of a client for both. */
export const makeServers = Effect.gen(function* () {
  const server = yield* StubAuthorizationServer.make()
  let count = 0
  const numberedTokens = Answer.respondWith(() =>
    Effect.sync(() => {
      count += 1
      return Answer.token({ access_token: `token-${count}`, expires_in: 3600 })
    })
  )
  yield* server.always("/token", numberedTokens)
  const options = {
    serverUrl: server.endpoint("/mcp"),
    token_url: server.endpoint("/token"),
    client_id: "agent",
    client_secret: "the-client-secret",
    enforce_https: false
  } satisfies OAuthClientOptions
  return { server, options }
})

/** A client, which is closed with the scope. */
export const makeClient = (options: OAuthClientOptions) =>
  Effect.acquireRelease(
    Effect.sync(() => createOAuthClient(options)),
    (client: OAuthClient) => Effect.promise(() => client.close())
  )

/** The error of a call that fails. */
export const errorOf = (call: () => Promise<unknown>) =>
  Effect.promise(async () => {
    try {
      await call()
    } catch (error) {
      if (error instanceof OAuthClientError) return error
      throw error
    }
    throw new Error("the call did not fail")
  })

/** What a call that fails throws, whatever it is. */
export const thrownBy = (call: () => Promise<unknown>) =>
  Effect.promise(async (): Promise<unknown> => {
    try {
      await call()
    } catch (error) {
      return error
    }
    throw new Error("the call did not fail")
  })
