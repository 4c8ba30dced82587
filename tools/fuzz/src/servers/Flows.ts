import {
  AddressLookup,
  decodeOAuthConfig,
  Grants,
  type GrantRequest,
  type OAuthConfig,
  OAuthHttp,
  OAuthService
} from "@secure-mcp/oauth-core"
import { OAuthFlows } from "@secure-mcp/oauth-flows"
import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
import { TokenInjector } from "@secure-mcp/transport-injection"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"

/** The flows, over a client that reaches nobody. No name is looked up. */
export const makeGrants = (client: HttpClient.HttpClient) =>
  Layer.build(flowsLayer(client)).pipe(Effect.map(Context.get(Grants)))

/** What injects tokens, and what it stands on, over a client that reaches nobody. */
export const makeInjector = (client: HttpClient.HttpClient) =>
  Layer.build(
    TokenInjector.layer.pipe(
      Layer.provide(OAuthService.layer),
      Layer.provide(flowsLayer(client)),
      Layer.provide(SingleFlightTokenCache.layerMemory),
      Layer.provide(httpLayer(client))
    )
  ).pipe(Effect.map(Context.get(TokenInjector)))

const httpLayer = (client: HttpClient.HttpClient) =>
  OAuthHttp.layer.pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client)))

const flowsLayer = (client: HttpClient.HttpClient) =>
  OAuthFlows.layer.pipe(
    Layer.provide(httpLayer(client)),
    Layer.provide(
      Layer.succeed(AddressLookup, {
        lookup: (hostname) =>
          hostname.endsWith(".example") ? Effect.succeed(["198.51.99.1"]) : Effect.fail({ code: "ENOTFOUND" })
      })
    )
  )

/** The `oauth` object of an entry, which has to be valid. */
export const configOf = (oauth: object): OAuthConfig => Result.getOrThrow(decodeOAuthConfig(oauth))

/** A request for a token by such an object. */
export const requestFor = (oauth: object): GrantRequest => ({
  serverName: "remote",
  config: configOf(oauth),
  resourceUrl: "https://mcp.example/mcp",
  correlationId: "5f1c9b9e-6b0a-4c8e-9f53-5f8b2c1f0a11"
})
