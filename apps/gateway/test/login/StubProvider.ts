import { Answer, ProviderBehaviour, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { post, ping } from "../cli/mcpMessages.ts"
import { startGateway } from "../http/RunningGateway.ts"
import { personalEntry } from "./ProtectedServer.ts"
import { BrowserCookies, confirm, consent, visit } from "./Person.ts"

/**
 * A gateway that knows nothing but the URL of an MCP server, which is at the same origin as its authorization server.
 * What they answer at `/mcp`, `/authorize` and `/token` can be programmed.
 */
export const startStubProvider = Effect.fnUntraced(function* (
  oauth: object = {},
  metadata: object = {},
  settings: object = {},
  store: object = { type: "memory" }
) {
  const stub = yield* StubAuthorizationServer.make()
  const mcp = stub.endpoint("/mcp")
  yield* stub.always(
    "/.well-known/oauth-protected-resource/mcp",
    Answer.json({ resource: mcp, authorization_servers: [stub.url] })
  )
  yield* stub.always(
    "/.well-known/oauth-authorization-server",
    Answer.json({
      issuer: stub.url,
      authorization_endpoint: stub.endpoint("/authorize"),
      token_endpoint: stub.endpoint("/token"),
      registration_endpoint: stub.endpoint("/register"),
      code_challenge_methods_supported: ["S256"],
      token_endpoint_auth_methods_supported: ["none"],
      ...metadata
    })
  )
  yield* stub.always("/register", yield* ProviderBehaviour.registersClients())
  yield* stub.always("/authorize", ProviderBehaviour.authorizes())
  yield* stub.always("/token", yield* ProviderBehaviour.rotatesRefreshTokens)
  yield* stub.always("/mcp", ProviderBehaviour.protectsResource())
  const gateway = yield* startGateway({
    store,
    gateway: settings,
    servers: [personalEntry(mcp, oauth)]
  })

  const call = (method = "ping", headers: Record<string, string> = {}) =>
    Effect.map(post(gateway.url, "echo", { ...ping, method }, headers), ({ status, text }) => {
      const { error, result } = JSON.parse(text)
      return {
        status,
        token: result?.token as string | undefined,
        reason: error?.data.reason as string | undefined,
        message: error?.message as string | undefined,
        url: error?.data.authorization_url as string | undefined
      }
    })
  /** The authorization URL behind the link of an answer. */
  const authorizationUrl = (link = "", cookies?: BrowserCookies) => confirm(link, cookies)
  /** Where the authorization server sends the person's browser back to, and what that browser says of itself. */
  const callbackOf = (link = "", cookies = new BrowserCookies()) => {
    return Effect.map(consent(link, "", cookies), (url) => ({ url, headers: cookies.header(url) }))
  }
  const logIn = Effect.gen(function* () {
    const { headers, url } = yield* callbackOf((yield* call()).url)
    return yield* visit(url, { headers })
  })
  const sent = (grantType: string) =>
    Effect.map(stub.requestsTo("/token"), (requests) =>
      requests.filter(({ form }) => form.get("grant_type") === grantType)
    )
  return { stub, gateway, call, authorizationUrl, callbackOf, logIn, sent }
})
