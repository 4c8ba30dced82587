import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as https from "node:https"
import { text } from "node:stream/consumers"
import { Certificates, nginxProgram, requireProgram, startNginx } from "../src/index.ts"

const get = (url: string, ca: string) =>
  Effect.callback<string>((resume) => {
    https
      .get(url, { ca, agent: false }, (response) => resume(Effect.promise(() => text(response))))
      .on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(error.code ?? "")))
  })

describe("nginx", () => {
  let executable: string | undefined
  beforeAll(() => {
    executable = requireProgram(nginxProgram)
  })

  it.effect("nginx serves the server block until the scope closes", (test) =>
    Effect.gen(function* () {
      if (executable === undefined) return test.skip("there is no nginx")
      const authority = yield* Certificates.makeAuthority("CA")
      const { certificatePem: cert, privateKeyPem: key } = yield* authority.issueServer()
      const server = "location / { return 200 hello; }"
      const url = yield* Effect.scoped(
        Effect.gen(function* () {
          const nginx = yield* startNginx({ executable: executable ?? "", tls: { cert, key }, server })
          assert.strictEqual(yield* get(nginx.url, authority.certificatePem), "hello")
          return nginx.url
        })
      )
      assert.strictEqual(yield* get(url, authority.certificatePem), "ECONNREFUSED")
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
