import { assert, describe, it } from "@effect/vitest"
import { Grants, OAuthHttp } from "@secure-mcp/oauth-core"
import { OAuthFlows } from "@secure-mcp/oauth-flows"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import {
  correlationId,
  makeGrants,
  makeGrantsAnsweredBy,
  reasonOf,
  requestFor,
  tokenAnswer
} from "./TestGrants.ts"

const Live = OAuthFlows.layer.pipe(Layer.provide(OAuthHttp.layer), Layer.provide(FetchHttpClient.layer))

describe("the grants", () => {
  it.effect("OAuthFlows.layer works with any HTTP client", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.token())
      const grants = yield* Grants
      const token = yield* grants.acquire(requestFor({ token_url: server.endpoint("/token") }), undefined)
      assert.isTrue(token.reusable)
    }).pipe(Effect.provide(Live))
  )

  it.effect("a configured certificate that cannot be used stops the request", () =>
    Effect.gen(function* () {
      const { grants, moments } = yield* makeGrantsAnsweredBy(() => Effect.succeed(tokenAnswer()))
      const request = requestFor({
        token_url: "https://as.example.com/token",
        use_mtls: true,
        client_cert_path: "cert.pem",
        client_key_path: "key.pem"
      })
      const error = yield* Effect.flip(grants.acquire(request, undefined))
      assert.strictEqual(reasonOf(error)["_tag"], "CertificateUnusable")
      assert.isEmpty(moments, "nothing was sent")
    })
  )

  it.effect("every log line has the server name and the correlation id", () =>
    Effect.gen(function* () {
      const annotations: Array<unknown> = []
      const logger = Logger.make(({ fiber }) => {
        annotations.push({ ...fiber.getRef(References.CurrentLogAnnotations) })
      })
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.token())
      yield* server.always("/revoke", Answer.text(""))
      const grants = yield* makeGrants()
      const request = requestFor({
        token_url: server.endpoint("/token"),
        revocation_url: server.endpoint("/revoke")
      })
      yield* grants.acquire(request, undefined).pipe(
        Effect.flatMap((token) => grants.revoke(request, token)),
        Effect.provide(Logger.layer([logger])),
        Effect.provideService(References.MinimumLogLevel, "All")
      )
      assert.isAtLeast(annotations.length, 3)
      for (const annotation of annotations) {
        assert.deepStrictEqual(annotation, { server_name: "remote", correlation_id: correlationId })
      }
    })
  )
})
