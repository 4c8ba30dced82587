import { assert, describe, it } from "@effect/vitest"
import { OAuthHttp } from "@secure-mcp/oauth-core"
import { oauthHttpContract } from "@secure-mcp/oauth-core/testing"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import { execFile } from "node:child_process"
import { resolve } from "node:path"
import { type Exchange, recordedHttp } from "../src/RecordedHttp.ts"

const overFetch = (exchanges: Array<Exchange>) =>
  recordedHttp((exchange) => Effect.sync(() => void exchanges.push(exchange))).pipe(
    Layer.provide(OAuthHttp.layer),
    Layer.provide(FetchHttpClient.layer)
  )

describe("the transport that records", () => {
  it.effect.each([...oauthHttpContract])("the recorder $name", ({ effect }) =>
    Effect.map(Effect.provide(effect, overFetch([])), (outcome) => assert.isUndefined(outcome))
  )

  it.live("the example shows what is sent for a token, and no secret", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always(
        "/.well-known/oauth-authorization-server",
        Answer.json({ issuer: server.url, token_endpoint: server.endpoint("/token") })
      )
      yield* server.always("/token", Answer.token({ access_token: "the-access-token", expires_in: 60 }))
      const output = yield* runExample({
        ISSUER: server.url,
        CLIENT_ID: "client",
        CLIENT_SECRET: "the-client-secret"
      })
      assert.match(output, /GET http:\S+\/oauth-authorization-server: 200 after \d+ ms/)
      assert.match(output, /POST http:\S+\/token: 200 after \d+ ms/)
      assert.include(output, "Got a token that lives for 60 s")
      assert.notMatch(output, /the-access-token|the-client-secret/)
    })
  )
})

const runExample = (environment: Readonly<Record<string, string>>) =>
  Effect.callback<string>((resume) => {
    const options = {
      cwd: resolve(import.meta.dirname, ".."),
      env: { ...process.env, ...environment },
      shell: process.platform === "win32"
    }
    execFile("npm", ["start", "--silent"], options, (error, stdout, stderr) =>
      resume(error === null ? Effect.succeed(stdout + stderr) : Effect.die(stdout + stderr))
    )
  })
