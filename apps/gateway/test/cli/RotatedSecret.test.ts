import { assert, describe, layer } from "@effect/vitest"
import { Answer, StubAuthorizationServer, type RecordedRequest } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto"
import { TestLayer } from "../config/configFile.ts"
import { serve } from "./gatewayProcess.ts"
import { post } from "./mcpMessages.ts"

const newKey = (): string =>
  generateKeyPairSync("ec", { namedCurve: "P-256" })
    .privateKey.export({ type: "pkcs8", format: "pem" })
    .toString()

const isSignedBy = (assertion: string, key: string): boolean => {
  const [header, payload, signature = ""] = assertion.split(".")
  return verify(
    "sha256",
    Buffer.from(`${header}.${payload}`),
    { key: createPublicKey(key), dsaEncoding: "ieee-p1363" },
    Buffer.from(signature, "base64url")
  )
}

const methods = [
  {
    method: "client_secret_basic",
    old: "old-secret",
    replacement: "new-secret",
    key: "client_secret",
    isFrom: ({ headers }: RecordedRequest, secret: string) =>
      headers.authorization === `Basic ${btoa(`client:${secret}`)}`
  },
  {
    method: "client_secret_post",
    old: "old-secret",
    replacement: "new-secret",
    key: "client_secret",
    isFrom: ({ form }: RecordedRequest, secret: string) => form.get("client_secret") === secret
  },
  {
    method: "private_key_jwt",
    old: newKey(),
    replacement: newKey(),
    key: "private_key",
    isFrom: ({ form }: RecordedRequest, secret: string) =>
      isSignedBy(form.get("client_assertion") ?? "", secret)
  }
] as const

describe("a secret that is replaced in its file", () => {
  layer(TestLayer, { excludeTestServices: true })((it) => {
    it.effect.each(methods)(
      "a running gateway uses the new secret of $method once the server refuses the old one",
      ({ isFrom, key, method, old, replacement }) =>
        Effect.gen(function* () {
          const files = yield* FileSystem.FileSystem
          const server = yield* StubAuthorizationServer.make()
          const known: { secret: string } = { secret: old }
          yield* server.always(
            "/token",
            Answer.respondWith((request) =>
              Effect.succeed(
                isFrom(request, known.secret)
                  ? Answer.token({ access_token: "a-token", expires_in: 1 })
                  : Answer.json({ error: "invalid_client" }, { status: 401 })
              )
            )
          )
          yield* server.always("/mcp", Answer.json({ jsonrpc: "2.0", id: 7, result: {} }))
          const directory = yield* files.makeTempDirectoryScoped()
          const secretFile = `${directory}/secret`
          yield* files.writeFileString(secretFile, `${old}\n`)
          const gateway = yield* serve({
            servers: [
              {
                server_name: "remote",
                config: { url: server.endpoint("/mcp") },
                oauth: {
                  enabled: true,
                  enforce_https: false,
                  token_url: server.endpoint("/token"),
                  client_id: "client",
                  token_endpoint_auth_method: method,
                  [key]: `\${file:${secretFile}}`
                }
              }
            ]
          })
          assert.strictEqual((yield* post(gateway.url, "remote")).status, 200)

          known.secret = replacement
          yield* Effect.sleep("1100 millis")
          const refused = yield* post(gateway.url, "remote")
          assert.strictEqual(refused.status, 502)
          assert.include(refused.text, `has not changed in ${secretFile}`)

          yield* files.writeFileString(secretFile, `${replacement}\n`)
          yield* Effect.sleep("1100 millis")
          assert.strictEqual((yield* post(gateway.url, "remote")).status, 200)
          yield* gateway.signal("SIGTERM")
          const { stderr } = yield* gateway.finished
          assert.include(stderr, `It has changed in ${secretFile}, and the new one is used`)
          assert.notInclude(stderr, "new-secret")
        })
    )
  })
})
