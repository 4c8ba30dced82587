import { assert, describe, it } from "@effect/vitest"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { loadConfigFile } from "@secure-mcp/gateway-server"
import { ClientCertificates } from "@secure-mcp/mtls"
import { ConfigError, formatPath } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"

const callers = {
  public_url: "https://gw.example.com",
  callers: { jwt: [{ issuer: "https://login.example.com" }] }
}

const oauth = {
  enabled: true,
  grant_type: "token_exchange",
  token_url: "https://login.example.com/token",
  client_id: "gateway",
  client_secret: "secret",
  subject_token: "${caller:token}",
  subject_token_type: "urn:ietf:params:oauth:token-type:access_token"
}

/** The problems of a file: where and what. */
const problemsOf = (gateway: object, own: object) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const file = yield* files.makeTempFileScoped()
    const document = {
      gateway,
      servers: [
        { server_name: "a", config: { url: "https://mcp.example.com/mcp" }, oauth: { ...oauth, ...own } }
      ]
    }
    yield* files.writeFileString(file, JSON.stringify(document))
    const loaded = yield* Effect.result(loadConfigFile(file))
    if (Result.isSuccess(loaded)) return []
    assert.instanceOf(loaded.failure, ConfigError)
    return loaded.failure.problems.map(({ message, path }) => `${formatPath(path)}: ${message}`)
  }).pipe(
    Effect.scoped,
    Effect.provide(ClientCertificates.layer.pipe(Layer.provideMerge(NodeServices.layer)))
  )

describe("the token of the caller in a configuration", () => {
  it.effect("the token of the caller may be the whole value of the keys that are exchanged", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* problemsOf(callers, {}), [])
      const assertion = {
        grant_type: "jwt_bearer",
        subject_token: undefined,
        subject_token_type: undefined,
        assertion: "${caller:token}"
      }
      assert.deepStrictEqual(yield* problemsOf(callers, assertion), [])
    })
  )

  it.effect.each<readonly [own: object, place: string]>([
    [{ subject_token: "Bearer ${caller:token}" }, "servers[0].oauth.subject_token"],
    [{ subject_token: "${caller:name}" }, "servers[0].oauth.subject_token"],
    [{ client_secret: "${caller:token}" }, "servers[0].oauth.client_secret"],
    [{ custom_headers: { x: "${caller:token}" } }, "servers[0].oauth.custom_headers.x"],
    [
      { actor_token: "${caller:token}", actor_token_type: oauth.subject_token_type },
      "servers[0].oauth.actor_token"
    ]
  ])("the token of the caller in %j is a problem at %s", ([own, place]) =>
    Effect.gen(function* () {
      const problems = yield* problemsOf(callers, own)
      assert.lengthOf(problems, 1)
      assert.isTrue(problems[0]?.startsWith(`${place}: `), problems.join())
      assert.include(problems[0], "stands alone, as the whole value")
    })
  )

  it.effect("the token of the caller needs callers that have one", () =>
    Effect.gen(function* () {
      const [problem = "", ...others] = yield* problemsOf({ api_keys: ["a-key-of-sixteen-characters"] }, {})
      assert.lengthOf(others, 0)
      assert.match(problem, /^servers\[0\]\.oauth: .*`gateway\.callers`/)
    })
  )
})
