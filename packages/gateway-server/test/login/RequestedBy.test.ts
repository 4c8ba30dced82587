import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Logins } from "@secure-mcp/gateway-server"
import { ClientCertificates } from "@secure-mcp/mtls"
import {
  decodeOAuthConfig,
  LoginRecords,
  type LoginRecordsService,
  OAuthService
} from "@secure-mcp/oauth-core"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { makeLoginLinks } from "../../src/login/LoginLinks.ts"

/** Records that several processes share. */
const makeRecords = () => {
  const records = new Map<string, Redacted.Redacted>()
  const service: LoginRecordsService = {
    put: (id, record) => Effect.sync(() => void records.set(id, record)),
    get: (id) => Effect.sync(() => records.get(id)),
    take: (id) =>
      Effect.sync(() => {
        const record = records.get(id)
        records.delete(id)
        return record
      })
  }
  return { service, texts: () => [...records.values()].map((record) => Redacted.value(record)) }
}

const idOf = (url: string) => new URL(url).pathname.replace("/login/", "")

const oauth = Layer.mock(OAuthService, {
  peek: () => undefined,
  authorize: () => Effect.succeed({ authorizationUrl: "https://as.example/authorize?state=s-1" })
})

const begin = (service: LoginRecordsService, client?: string) =>
  Effect.gen(function* () {
    const config = yield* Effect.fromResult(
      decodeOAuthConfig({ enabled: true, grant_type: "authorization_code", client_id: "gateway" })
    )
    const logins = yield* Logins
    return yield* logins.begin({ serverName: "files", subject: "alice", config }, { scope: "read" }, client)
  }).pipe(
    Effect.provide(
      Logins.layer({ callbackPort: 0 }, () => 10).pipe(
        Layer.provide(oauth),
        Layer.provide(ClientCertificates.layer),
        Layer.provide(NodeServices.layer),
        Layer.provide(Layer.succeed(LoginRecords, service))
      )
    ),
    Effect.scoped
  )

describe("the client that asked for a login", () => {
  it.effect("a link says in every process which client asked for it", () =>
    Effect.gen(function* () {
      const { service } = makeRecords()
      const url = yield* begin(service, "Claude Code")
      const elsewhere = yield* makeLoginLinks(() => 10).pipe(Effect.provideService(LoginRecords, service))
      const link = yield* elsewhere.find(idOf(url))
      assert.deepInclude(link, { serverName: "files", subject: "alice", client: "Claude Code" })
    }).pipe(Effect.provide(SecureRandom.layerWebCrypto))
  )

  it.effect("a link says nothing of a client that says nothing of itself", () =>
    Effect.gen(function* () {
      const { service, texts } = makeRecords()
      const url = yield* begin(service)
      assert.isTrue(texts().some((text) => text.includes(idOf(url))))
      for (const text of texts()) assert.notInclude(text, 'client"')
      const elsewhere = yield* makeLoginLinks(() => 10).pipe(Effect.provideService(LoginRecords, service))
      assert.notProperty(yield* elsewhere.find(idOf(url)), "client")
    }).pipe(Effect.provide(SecureRandom.layerWebCrypto))
  )
})
