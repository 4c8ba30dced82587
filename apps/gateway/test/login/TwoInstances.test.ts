import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { freePort, nginxProgram, requireProgram, startNginx } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { makeCertificates } from "../upstream/CertifiedServers.ts"
import { startGateway } from "../http/RunningGateway.ts"
import { post, ping } from "../cli/mcpMessages.ts"
import { BrowserCookies, logIn, walk } from "./Person.ts"
import { personalEntry } from "./ProtectedServer.ts"
import { startStubProvider } from "./StubProvider.ts"

const key = "the-key-that-alice-holds"
const bearer = { authorization: `Bearer ${key}` }

/** Two gateways with one store, and nginx, which gives each request of a browser to the other one in turn. */
const start = Effect.fnUntraced(function* (nginx: string) {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped()
  const { authority } = yield* makeCertificates
  const certificate = yield* authority.issueServer()
  const ports = [yield* freePort, yield* freePort]
  const { url } = yield* startNginx({
    executable: nginx,
    tls: { cert: certificate.certificatePem, key: certificate.privateKeyPem },
    // Each request goes on to the next instance, as from a balancer without sticky sessions.
    server: ports
      .map((port, index) => `location @instance${index} { proxy_pass http://127.0.0.1:${port}; }`)
      .concat(
        `set $turn 0; location / { if ($request_method = POST) { return 418; } if ($uri ~ /oauth/) { return 418; } return 419; } error_page 418 = @instance1; error_page 419 = @instance0;`
      )
      .join("\n")
  })
  const oauth = { redirect_uri: `${url}/oauth/callback` }
  const store = { type: "file", directory }
  const settings = (port: number | undefined) => ({
    callback_port: port,
    api_keys: [{ subject: "alice", key }]
  })
  const first = yield* startStubProvider(oauth, {}, settings(ports[0]), store)
  const second = yield* startGateway({
    store,
    gateway: settings(ports[1]),
    servers: [personalEntry(first.stub.endpoint("/mcp"), oauth)]
  })
  const callSecond = Effect.map(post(second.url, "echo", ping, bearer), ({ text }) => JSON.parse(text))
  return { ...first, callSecond, second }
})

describe("two instances behind nginx", () => {
  let nginx: string | undefined
  beforeAll(() => {
    nginx = requireProgram(nginxProgram)
    // The certificate of nginx is of an authority of this test.
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0"
  })

  it.effect("a login that begins at one instance ends at the other, and both have the grant", (test) =>
    Effect.gen(function* () {
      if (nginx === undefined) return test.skip("there is no nginx")
      const { call, callSecond, sent } = yield* start(nginx)
      const { url: link = "" } = yield* call("ping", bearer)
      // The page comes from the first instance, the form and the redirect go to the second one.
      const end = yield* logIn(link, "alice")
      assert.strictEqual(end.status, 200, end.text)
      assert.include(end.text, "Logged in")
      assert.lengthOf(yield* sent("authorization_code"), 1)
      const answer = yield* callSecond
      assert.isDefined(answer.result?.token, JSON.stringify(answer))
      const first = yield* call("ping", bearer)
      assert.strictEqual(first.token, answer.result.token)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.effect("a login that was confirmed at one instance counts in no other browser at the other", (test) =>
    Effect.gen(function* () {
      if (nginx === undefined) return test.skip("there is no nginx")
      const { call, sent } = yield* start(nginx)
      const { url: link = "" } = yield* call("ping", bearer)
      const mine = new BrowserCookies()
      const callback = yield* walk(link, "alice", {
        cookies: mine,
        until: ({ searchParams }) => searchParams.has("code")
      })
      const stranger = yield* walk(callback.url, "mallory")
      assert.strictEqual(stranger.status, 403, stranger.text)
      assert.strictEqual((yield* walk(link, "mallory")).status, 403)
      assert.lengthOf(yield* sent("authorization_code"), 0)
      const end = yield* walk(callback.url, "alice", { cookies: mine })
      assert.include(end.text, "Logged in")
      // Once is once, wherever it is tried.
      const again = yield* walk(callback.url, "alice", { cookies: mine })
      assert.isTrue(again.status >= 400 || again.text.includes("Logged in"), again.text)
      assert.lengthOf(yield* sent("authorization_code"), 1)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )
})
