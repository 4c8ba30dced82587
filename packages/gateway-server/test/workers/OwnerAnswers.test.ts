import { assert, describe, it } from "@effect/vitest"
import { decodeGatewayConfig, PersonActivity } from "@secure-mcp/gateway-server"
import { OAuthService, OAuthToken } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { makeSharedSessionOwners } from "../../src/sessions/SharedSessionOwners.ts"
import { makeAnswers } from "../../src/workers/Owner.ts"

const token = new OAuthToken({
  accessToken: Redacted.make("an-access-token"),
  tokenType: "Bearer",
  issuedAt: 0,
  reusable: true
})

const oauth = Layer.mock(OAuthService, {
  peek: () => undefined,
  getAccessToken: () => Effect.succeed({ token, source: "cache" })
})

const document = {
  store: { type: "memory" },
  servers: [
    {
      server_name: "files",
      config: { url: "https://mcp.example.com/mcp" },
      oauth: { enabled: true, grant_type: "authorization_code", client_id: "gateway" }
    }
  ]
}

describe("a worker that asks the owner", () => {
  it.effect("the owner counts a use for the person whose token a worker asks for", () =>
    Effect.gen(function* () {
      const config = yield* Effect.fromResult(decodeGatewayConfig(document))
      const activity = yield* PersonActivity
      const answer = makeAnswers(config, yield* OAuthService, makeSharedSessionOwners(10), activity)
      yield* TestClock.setTime(3000)
      assert.deepStrictEqual(yield* answer({ _tag: "Token", serverName: "files", subject: "alice" }), {
        _tag: "Token",
        token
      })
      assert.strictEqual(activity.get("files", "alice").lastUseAt, 3000)
      assert.isUndefined(activity.get("files", "bob").lastUseAt)
    }).pipe(Effect.provide([oauth, PersonActivity.layer]))
  )

  it.effect("the owner counts no use of a server that it does not have", () =>
    Effect.gen(function* () {
      const config = yield* Effect.fromResult(decodeGatewayConfig(document))
      const activity = yield* PersonActivity
      const answer = makeAnswers(config, yield* OAuthService, makeSharedSessionOwners(10), activity)
      assert.strictEqual(
        (yield* answer({ _tag: "Token", serverName: "mail", subject: "alice" }))._tag,
        "Failed"
      )
      assert.isUndefined(activity.get("mail", "alice").lastUseAt)
    }).pipe(Effect.provide([oauth, PersonActivity.layer]))
  )
})
