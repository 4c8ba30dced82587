import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { decodeGatewayConfig, gatewayServer } from "@secure-mcp/gateway-server"
import { ClientCertificates } from "@secure-mcp/mtls"
import { OAuthService, TokenCache } from "@secure-mcp/oauth-core"
import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
import { TokenStore } from "@secure-mcp/token-cache"
import { assertNoCanary, canary } from "@secure-mcp/testing"
import { TokenInjector } from "@secure-mcp/transport-injection"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { failureIn, ping, send } from "./RawHttp.ts"
import { oauthAt } from "./RunningGateway.ts"

const detail = canary("detail")
const broken = Effect.die(new Error(detail))

/** A gateway over services that have a bug, as a composition of one's own may have. */
const startBroken = Effect.gen(function* () {
  const logs: Array<string> = []
  const recorder = Logger.make(({ cause }) => logs.push(Cause.pretty(cause)))
  const config = yield* Effect.fromResult(
    decodeGatewayConfig({
      gateway: { port: 0 },
      servers: [
        {
          server_name: "raw",
          config: { url: "http://127.0.0.1:9/mcp" },
          oauth: oauthAt("http://127.0.0.1:9/")
        }
      ]
    })
  )
  const services = yield* Layer.build(
    gatewayServer(config).pipe(
      Layer.provide(TokenInjector.layer),
      Layer.provide([
        Layer.succeed(OAuthService, {
          peek: () => undefined,
          find: () => broken,
          getAccessToken: () => broken,
          refresh: () => broken,
          authorize: () => broken,
          completeAuthorization: () => broken,
          authorizeDevice: () => broken,
          invalidate: () => broken,
          revoke: () => broken
        }),
        Layer.succeed(TokenCache, {
          get: () => broken,
          peek: () => undefined,
          find: () => broken,
          put: () => broken,
          invalidate: () => broken,
          revoke: () => broken,
          list: broken
        }),
        TokenStore.none,
        OAuthMetrics.layer,
        ClientCertificates.layer
      ]),
      Layer.provide([NodeServices.layer, Logger.layer([recorder])])
    )
  )
  return { logs, url: HttpServer.formatAddress(Context.get(services, HttpServer.HttpServer).address) }
})

describe("a bug below the gateway", () => {
  it.effect("a bug is logged, and the client gets a general error without the details", () =>
    Effect.gen(function* () {
      const { logs, url } = yield* startBroken
      const answer = yield* send(`${url}/servers/raw/mcp`, ping)
      assert.strictEqual(answer.status, 500)
      const { error, id } = failureIn(answer)
      assert.strictEqual(id, 1)
      assert.deepInclude(error.data, { reason: "InternalError", server_name: "raw" })
      assertNoCanary(answer.body.toString(), detail)
      assert.include(logs.join(), detail)
    })
  )
})
