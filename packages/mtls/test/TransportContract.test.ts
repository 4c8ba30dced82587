import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { ClientCertificates, MtlsOAuthHttp } from "@secure-mcp/mtls"
import { oauthHttpContract, TransportContract } from "@secure-mcp/oauth-core/testing"
import { Certificates, startConnectProxy } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { configOf } from "./MutualTls.ts"

const transport = MtlsOAuthHttp.layer.pipe(
  Layer.provide(ClientCertificates.layer),
  Layer.provideMerge(NodeServices.layer)
)

const host = "only-the-proxy-knows.example"

/** The server of the contract under a name that only the proxy knows. */
const throughProxy = Effect.fnUntraced(function* (port: number, origin: string) {
  const { url } = yield* startConnectProxy({ hosts: { [host]: port } })
  return { origin, proxies: { http: Redacted.make(url), https: Redacted.make(url) } }
})

/** Both sides have a certificate of one authority. */
const makeMutualTls = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped()
  const authority = yield* Certificates.makeAuthority("Contract CA")
  const server = yield* authority.issueServer({ names: [host, "127.0.0.1"] })
  const client = yield* authority.issueClient("contract")
  return {
    config: configOf(yield* client.writeTo(directory, "client"), yield* authority.writeTo(directory, "ca")),
    tls: { key: server.privateKeyPem, cert: server.certificatePem, ca: authority.certificatePem }
  }
})

const routes = [
  ["without certificates", Effect.succeed({})],
  ["with a client certificate", makeMutualTls],
  ["through a proxy", Effect.succeed({ route: (port: number) => throughProxy(port, `http://${host}`) })],
  [
    "through a proxy with a client certificate",
    Effect.map(makeMutualTls, (mutualTls) => ({
      ...mutualTls,
      route: (port: number) => throughProxy(port, `https://${host}`)
    }))
  ]
] as const

describe.each(routes)("MtlsOAuthHttp %s", (route, makeRoute) => {
  it.effect.each([...oauthHttpContract])(`${route}: $name`, ({ effect }) =>
    Effect.gen(function* () {
      const outcome = yield* Effect.provideService(effect, TransportContract, yield* makeRoute)
      assert.isUndefined(outcome)
    }).pipe(Effect.provide(transport))
  )
})
