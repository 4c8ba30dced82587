import { assert, describe, layer } from "@effect/vitest"
import { Answer, Certificates, refusedPort, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import { once } from "node:events"
import * as https from "node:https"
import { fileURLToPath } from "node:url"
import { entryWith, TestLayer } from "../config/configFile.ts"
import { entry, runGateway, secretEnvironment, serve, writeConfig } from "./gatewayProcess.ts"
import { initialize, ping, post, request } from "./mcpMessages.ts"

const plain = (name: string, url: string) => ({ server_name: name, config: { url } })

const child = {
  server_name: "child",
  config: {
    command: process.execPath,
    args: [fileURLToPath(new URL("./fixtures/talkativeServer.ts", import.meta.url))]
  }
}

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe("serve", () => {
  layer(TestLayer)((it) => {
    it.effect("prints its base URL as one line, logs JSON on standard error, and ends with SIGTERM", () =>
      Effect.gen(function* () {
        const authorizationServer = yield* StubAuthorizationServer.make()
        yield* authorizationServer.always("/token", Answer.json({ error: "invalid_client" }, { status: 401 }))
        const gateway = yield* serve(
          {
            gateway: { host: "localhost", port: 1 },
            servers: [entry("remote", "http://127.0.0.1:1/mcp", authorizationServer.endpoint("/token"))]
          },
          ["--host", "127.0.0.1", "--log-format", "json"],
          secretEnvironment
        )
        assert.match(gateway.url, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/)
        assert.strictEqual((yield* request(`${gateway.url}/readyz`)).status, 200)
        assert.strictEqual((yield* post(gateway.url, "remote")).status, 502)
        yield* gateway.signal("SIGTERM")
        const { exitCode, stderr, stdout } = yield* gateway.finished
        assert.strictEqual(exitCode, 0)
        assert.strictEqual(stdout, `${gateway.url}\n`)
        const lines = stderr
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line))
        assert.isTrue(lines.some((line) => JSON.stringify(line).includes("invalid_client")))
      })
    )

    it.effect("lets a running request finish after SIGTERM, accepts no other, and leaves no child", () =>
      Effect.gen(function* () {
        const upstream = yield* StubAuthorizationServer.make()
        const release = yield* Deferred.make<void>()
        yield* upstream.always(
          "/mcp",
          Answer.held(release, Answer.json({ jsonrpc: "2.0", id: 7, result: {} }))
        )
        const gateway = yield* serve({ servers: [plain("slow", upstream.endpoint("/mcp")), child] })

        const initialized = yield* post(gateway.url, "child", initialize)
        const pid = Number(JSON.parse(initialized.text).result.serverInfo.name)
        assert.isTrue(isRunning(pid))
        const running = yield* Effect.forkChild(post(gateway.url, "slow", ping))
        yield* upstream.received(1, "/mcp")

        yield* gateway.signal("SIGTERM")
        yield* Effect.exit(request(`${gateway.url}/healthz`)).pipe(Effect.repeat({ until: Exit.isFailure }))
        yield* Deferred.succeed(release, undefined)
        const answered = yield* Fiber.join(running)
        assert.strictEqual(answered.status, 200)
        assert.deepStrictEqual(JSON.parse(answered.text), { jsonrpc: "2.0", id: 7, result: {} })
        assert.strictEqual((yield* gateway.finished).exitCode, 0)
        assert.isFalse(isRunning(pid))
      })
    )

    it.effect("opens no port with a broken file", () =>
      Effect.gen(function* () {
        const taken = yield* StubAuthorizationServer.make()
        const config = yield* writeConfig({ servers: [entryWith({ client_id: "" }), { server_name: "b" }] })
        const { port } = new URL(taken.url)
        const { exitCode, stderr, stdout } = yield* runGateway(["serve", "-c", config, "--port", port])
        assert.strictEqual(exitCode, 1)
        assert.strictEqual(stdout, "")
        assert.include(stderr, "servers[0].oauth.client_id: must not be empty")
        assert.include(stderr, "servers[1].config: required")
        assert.notInclude(stderr, "Cannot listen", "it did not come to that")
      })
    )

    it.effect("says that its port is taken", () =>
      Effect.gen(function* () {
        const taken = yield* StubAuthorizationServer.make()
        const { port } = new URL(taken.url)
        const config = yield* writeConfig({ gateway: { port: Number(port) }, servers: [entryWith()] })
        assert.deepStrictEqual(yield* runGateway(["serve", "-c", config]), {
          exitCode: 1,
          stdout: "",
          stderr: `Cannot listen on 127.0.0.1:${port} (EADDRINUSE). Choose another with --host and --port\n`
        })
      })
    )

    it.effect("listens for other machines only with keys or when the configuration says so", () =>
      Effect.gen(function* () {
        const config = yield* writeConfig({ servers: [entryWith()] })
        const { exitCode, stderr, stdout } = yield* runGateway([
          "serve",
          "-c",
          config,
          "--host",
          "0.0.0.0",
          "--port",
          "0"
        ])
        assert.strictEqual(exitCode, 1)
        assert.strictEqual(stdout, "")
        assert.include(stderr, "gateway.api_keys, gateway.callers or gateway.tls.client_ca_path")
        assert.include(stderr, "--allow-unauthenticated")
      })
    )

    it.effect("listens for other machines when it knows its callers by their tokens", () =>
      Effect.gen(function* () {
        const gateway = yield* serve({
          gateway: {
            host: "0.0.0.0",
            public_url: "https://gw.example.com",
            callers: { jwt: [{ issuer: "https://login.example.com" }] }
          },
          servers: [entryWith()]
        })
        const url = `http://127.0.0.1:${new URL(gateway.url).port}`
        for (const path of ["/servers/remote/mcp", "/metrics", "/healthz"])
          assert.strictEqual((yield* request(url + path)).status, 401)
        const metadata = yield* request(`${url}/.well-known/oauth-protected-resource/servers/remote/mcp`)
        assert.strictEqual(metadata.status, 200)
      })
    )

    it.effect("warns when it listens for other machines without keys", () =>
      Effect.gen(function* () {
        const gateway = yield* serve({ gateway: { host: "0.0.0.0" }, servers: [entryWith()] }, [
          "--allow-unauthenticated"
        ])
        yield* gateway.logged("Listening on 0.0.0.0 without gateway.api_keys")
        const { port } = new URL(gateway.url)
        assert.strictEqual((yield* request(`http://127.0.0.1:${port}/healthz`)).status, 200)
      })
    )

    it.effect("requires a key from other machines", () =>
      Effect.gen(function* () {
        const key = "0123456789abcdef"
        const port = yield* refusedPort
        const gateway = yield* serve(
          {
            gateway: { host: "0.0.0.0", api_keys: ["${env:KEY}"] },
            servers: [plain("remote", `http://127.0.0.1:${port}/mcp`)]
          },
          [],
          { KEY: key }
        )
        const url = `http://127.0.0.1:${new URL(gateway.url).port}`
        assert.strictEqual((yield* post(url, "remote")).status, 401)
        const allowed = yield* post(url, "remote", ping, { authorization: `Bearer ${key}` })
        assert.strictEqual(JSON.parse(allowed.text).error.data.reason, "UpstreamUnreachable")
        yield* gateway.signal("SIGTERM")
        assert.notInclude((yield* gateway.finished).stderr, "without gateway.api_keys")
      })
    )

    it.effect("speaks HTTPS with a certificate, and needs no key where it asks for those of clients", () =>
      Effect.gen(function* () {
        const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
        const authority = yield* Certificates.makeAuthority("CA")
        const server = yield* (yield* authority.issueServer()).writeTo(directory, "server")
        const client = yield* authority.issueClient("client")
        const tls = {
          cert_path: server.certificatePath,
          key_path: server.privateKeyPath,
          client_ca_path: yield* authority.writeTo(directory, "clients")
        }
        const gateway = yield* serve({ gateway: { host: "0.0.0.0", tls }, servers: [entryWith()] })
        assert.match(gateway.url, /^https:\/\/0\.0\.0\.0:[1-9]\d*$/)
        const status = yield* Effect.promise(async () => {
          const outgoing = https.get(`https://127.0.0.1:${new URL(gateway.url).port}/healthz`, {
            agent: false,
            ca: authority.certificatePem,
            cert: client.certificatePem,
            key: client.privateKeyPem
          })
          const [response] = await once(outgoing, "response")
          response.resume()
          return response.statusCode
        })
        assert.strictEqual(status, 200)
        yield* gateway.signal("SIGTERM")
        assert.strictEqual((yield* gateway.finished).exitCode, 0)
      })
    )
  })
})
