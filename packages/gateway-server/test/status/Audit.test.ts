import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { accessTokenRequest, decodeGatewayConfig, gatewayServices } from "@secure-mcp/gateway-server"
import { ClientCertificates } from "@secure-mcp/mtls"
import { type OAuthEvent, OAuthEventListeners, OAuthService } from "@secure-mcp/oauth-core"
import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const platform = ClientCertificates.layer.pipe(Layer.provideMerge(NodeServices.layer))

describe("an audit sink beside the gateway", () => {
  it.effect("an audit sink that is merged with the gateway's services hears what the metrics count", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.token())
      const config = yield* Effect.fromResult(
        decodeGatewayConfig({
          store: { type: "memory" },
          servers: [
            {
              server_name: "remote",
              config: { url: "https://mcp.example.com/mcp" },
              oauth: {
                enabled: true,
                token_url: server.endpoint("/token"),
                client_id: "gateway",
                client_secret: "secret",
                enforce_https: false
              }
            }
          ]
        })
      )
      const heard: Array<OAuthEvent["_tag"]> = []
      const audit = OAuthEventListeners.listen({
        name: "audit",
        receive: ({ _tag }) => Effect.sync(() => void heard.push(_tag))
      })
      const request = config.servers[0] && accessTokenRequest(config.servers[0], config, undefined)
      assert(request !== undefined)
      const counted = yield* Effect.gen(function* () {
        const { getAccessToken } = yield* OAuthService
        yield* getAccessToken(request)
        yield* getAccessToken(request)
        return yield* (yield* OAuthMetrics).snapshot
      }).pipe(Effect.provide(Layer.mergeAll(gatewayServices(config), audit)))
      assert.deepStrictEqual(heard, ["CacheMiss", "TokenAcquired", "CacheHit"])
      assert.deepInclude(counted, { token_acquisitions_success: 1, token_cache_hits: 1 })
    }).pipe(Effect.provide(platform))
  )
})
