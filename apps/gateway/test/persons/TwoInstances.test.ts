import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { freePort, nginxProgram, requireProgram, startNginx } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { makeCertificates } from "../upstream/CertifiedServers.ts"
import { startCompanyPeople } from "./CompanyPeople.ts"

/** Two gateways with one store behind nginx, which gives each request to the other one in turn. */
const start = Effect.fnUntraced(function* (nginx: string) {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped()
  const { authority } = yield* makeCertificates
  const certificate = yield* authority.issueServer()
  const ports = [yield* freePort, yield* freePort]
  const { url } = yield* startNginx({
    executable: nginx,
    tls: { cert: certificate.certificatePem, key: certificate.privateKeyPem },
    http: `upstream instances { ${ports.map((port) => `server 127.0.0.1:${port};`).join(" ")} }`,
    server: "location / { proxy_pass http://instances; proxy_set_header Host $http_host; }"
  })
  return yield* startCompanyPeople({ place: { publicUrl: url, ports }, store: { type: "file", directory } })
})

describe("people at two instances behind nginx", () => {
  let nginx: string | undefined
  beforeAll(() => {
    nginx = requireProgram(nginxProgram)
    // The certificate of nginx is of an authority of this test.
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0"
  })

  it.effect("each page of a login may come from the other instance, and both have the grant", (test) =>
    Effect.gen(function* () {
      if (nginx === undefined) return test.skip("there is no nginx")
      const { browser, call, colleague, others, publicUrl } = yield* start(nginx)
      const ada = yield* colleague("ada")
      const { link = "", text } = yield* call(ada)
      assert.isTrue(link.startsWith(`${publicUrl}/me/links/`), text)
      const { ask, goAs } = browser()
      const end = yield* goAs("ada", link)
      assert.include(end.text, "Logged in")
      for (const gateway of [undefined, ...others]) {
        const answer = yield* call(ada, "wiki", gateway)
        assert.strictEqual(answer.status, 200, answer.text)
      }
      // The session of the browser counts at both.
      for (const _ of [1, 2, 3, 4]) assert.include((yield* ask(`${publicUrl}/me`)).text, "Disconnect")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.effect("what a person disconnects at one instance is gone at the other", (test) =>
    Effect.gen(function* () {
      if (nginx === undefined) return test.skip("there is no nginx")
      const { browser, call, colleague, others } = yield* start(nginx)
      const ada = yield* colleague("ada")
      const { goAs, openMe, send } = browser()
      yield* goAs("ada", (yield* call(ada)).link ?? "")
      const page = yield* openMe("ada")
      assert.strictEqual((yield* send("/me/disconnect", page.text, { server: "wiki" })).status, 303)
      for (const gateway of [undefined, ...others])
        assert.isDefined((yield* call(ada, "wiki", gateway)).link, "the grant is still there")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )
})
