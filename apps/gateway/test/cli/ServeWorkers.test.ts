import { assert, describe, layer } from "@effect/vitest"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { isRunning, until } from "../bridge/bridgeServer.ts"
import { TestLayer } from "../config/configFile.ts"
import { rpc, send, serveRaw } from "../http/RawHttp.ts"
import { BrowserCookies, logIn } from "../login/Person.ts"
import { startProtectedServer, personalEntry } from "../login/ProtectedServer.ts"
import { entry, runGateway, secretEnvironment, serve, writeConfig } from "./gatewayProcess.ts"
import { initialize, ping, post, request } from "./mcpMessages.ts"

/** The processes that a process has started; none if it has ended. */
const childrenOf = (pid: number): ReadonlyArray<number> => {
  const file = `/proc/${pid}/task/${pid}/children`
  return existsSync(file) ? readFileSync(file, "utf8").trim().split(" ").filter(Boolean).map(Number) : []
}

/** A server that takes only the newest token, and answers after as many milliseconds as the path of a request says. */
const startServer = Effect.gen(function* () {
  const tokens = { newest: 0, requested: 0 }
  const seen: Array<string | undefined> = []
  let sessions = 0
  const { url } = yield* serveRaw((incoming, response) => {
    let body = ""
    incoming.setEncoding("utf8").on("data", (chunk: string) => (body += chunk))
    incoming.on("end", () => {
      seen.push(incoming.headers.authorization)
      const { id, method, params } = JSON.parse(body)
      response.setHeader("content-type", "application/json")
      if (incoming.headers.authorization !== `Bearer token-${tokens.newest}` && tokens.newest > 0)
        return response.writeHead(401, { "www-authenticate": 'Bearer error="invalid_token"' }).end("{}")
      if (method === "initialize") response.setHeader("mcp-session-id", `session-${(sessions += 1)}`)
      const answer = () => response.end(JSON.stringify({ jsonrpc: "2.0", id, result: {} }))
      return method === "slow" ? setTimeout(answer, params.millis) : answer()
    })
  })
  const authorizationServer = yield* StubAuthorizationServer.make()
  yield* authorizationServer.always(
    "/token",
    Answer.respondWith(() =>
      Effect.sync(() => {
        tokens.requested += 1
        tokens.newest += 1
        return Answer.json({ access_token: `token-${tokens.newest}`, token_type: "Bearer", expires_in: 3600 })
      })
    )
  )
  return { url, tokens, seen, tokenUrl: authorizationServer.endpoint("/token") }
})

const twoWorkers = ["--workers", "2"]

const hitsAndMisses = (url: string) =>
  Effect.map(request(`${url}/metrics.json`), ({ text }) => {
    const { token_acquisitions_total, token_cache_hits, token_cache_misses } = JSON.parse(text)
    return { acquisitions: token_acquisitions_total, hits: token_cache_hits, misses: token_cache_misses }
  })

const stateful = {
  server_name: "child",
  config: {
    command: process.execPath,
    args: [fileURLToPath(new URL("./fixtures/talkativeServer.ts", import.meta.url))]
  }
}

describe("serve with two workers", () => {
  layer(TestLayer, { excludeTestServices: true })((it) => {
    it.effect(
      "requests at all workers share one token, are all counted, and go on when a worker is killed",
      () =>
        Effect.gen(function* () {
          const { seen, tokenUrl, tokens, url } = yield* startServer
          const gateway = yield* serve(
            { servers: [entry("remote", url, tokenUrl)] },
            twoWorkers,
            secretEnvironment
          )
          const first = yield* Effect.forEach(Array.from({ length: 20 }), () => post(gateway.url, "remote"), {
            concurrency: 20
          })
          assert.isTrue(first.every(({ status }) => status === 200))
          yield* Effect.forEach(Array.from({ length: 20 }), () => post(gateway.url, "remote"))
          assert.strictEqual(tokens.requested, 1)
          assert.strictEqual(seen.length, 40)
          const counted = yield* hitsAndMisses(gateway.url)
          assert.strictEqual(counted.acquisitions, 1)
          // A worker asks once for all requests that wait for the first token.
          assert.isAtLeast(counted.hits, 20)
          assert.isAtMost(counted.hits + counted.misses, 40)

          const before = childrenOf(gateway.pid)
          assert.strictEqual(before.length, 2)
          const [killed = 0] = before
          process.kill(killed, "SIGKILL")
          yield* gateway.logged(`Worker ${killed} ended (SIGKILL), and is replaced`)
          assert.strictEqual((yield* post(gateway.url, "remote")).status, 200)
          yield* until(() => childrenOf(gateway.pid).length === 2)
          assert.notInclude(childrenOf(gateway.pid), killed)
          const after = yield* Effect.forEach(Array.from({ length: 10 }), () => post(gateway.url, "remote"))
          assert.isTrue(after.every(({ status }) => status === 200))
          assert.strictEqual(tokens.requested, 1)
        })
    )

    it.effect("a token that the server refuses at one worker is replaced once for all", () =>
      Effect.gen(function* () {
        const { tokenUrl, tokens, url } = yield* startServer
        const gateway = yield* serve(
          { servers: [entry("remote", url, tokenUrl)] },
          twoWorkers,
          secretEnvironment
        )
        yield* Effect.forEach(Array.from({ length: 4 }), () => post(gateway.url, "remote"))
        tokens.newest += 1
        const answers = yield* Effect.forEach(Array.from({ length: 6 }), () => post(gateway.url, "remote"))
        assert.isTrue(answers.every(({ status }) => status === 200))
        assert.strictEqual(tokens.requested, 2)
      })
    )

    it.effect("SIGTERM lets the requests of all workers finish, and leaves no process behind", () =>
      Effect.gen(function* () {
        const { seen, tokenUrl, url } = yield* startServer
        const gateway = yield* serve(
          { servers: [entry("remote", url, tokenUrl), stateful] },
          twoWorkers,
          secretEnvironment
        )
        const workers = childrenOf(gateway.pid)
        const slow = { ...ping, method: "slow", params: { millis: 1500 } }
        const running = yield* Effect.forEach(Array.from({ length: 4 }), () =>
          Effect.forkScoped(post(gateway.url, "remote", slow))
        )
        yield* until(() => seen.length === 4)
        yield* gateway.signal("SIGTERM")
        const answers = yield* Effect.forEach(running, (fiber) => Fiber.join(fiber))
        assert.deepStrictEqual(
          answers.map(({ status }) => status),
          [200, 200, 200, 200]
        )
        const { exitCode, stdout } = yield* gateway.finished
        assert.strictEqual(exitCode, 0)
        assert.strictEqual(stdout, `${gateway.url}\n`)
        assert.isFalse(workers.some(isRunning))
      })
    )

    it.effect("workers end with an owner that is killed", () =>
      Effect.gen(function* () {
        const { tokenUrl, url } = yield* startServer
        const gateway = yield* serve(
          { servers: [entry("remote", url, tokenUrl)] },
          twoWorkers,
          secretEnvironment
        )
        const workers = childrenOf(gateway.pid)
        assert.strictEqual(workers.length, 2)
        yield* gateway.signal("SIGKILL")
        yield* until(() => !workers.some(isRunning))
      })
    )

    it.effect(
      "a session goes on at every worker: its person's with a server over HTTP, and one with a child process",
      () =>
        Effect.gen(function* () {
          const { url } = yield* startServer
          const gateway = yield* serve(
            {
              gateway: {
                api_keys: [
                  { key: "the-key-that-alice-holds", subject: "alice" },
                  { key: "the-key-that-bob-holds-too", subject: "bob" }
                ]
              },
              servers: [{ server_name: "remote", config: { url } }, stateful]
            },
            twoWorkers
          )
          const as = (person: "alice" | "bob", server: string, message: object, session?: string) =>
            post(gateway.url, server, message, {
              authorization:
                person === "alice" ? "Bearer the-key-that-alice-holds" : "Bearer the-key-that-bob-holds-too",
              ...(session === undefined ? {} : { "mcp-session-id": session })
            })
          for (const server of ["remote", "child"]) {
            const begun = yield* as("alice", server, initialize)
            assert.strictEqual(begun.status, 200)
            const session = begun.headers.get("mcp-session-id") ?? ""
            const own = yield* Effect.forEach(Array.from({ length: 6 }), () =>
              as("alice", server, ping, session)
            )
            assert.deepStrictEqual(new Set(own.map(({ status }) => status)), new Set([200]))
            const others = yield* Effect.forEach(Array.from({ length: 4 }), () =>
              as("bob", server, ping, session)
            )
            assert.deepStrictEqual(new Set(others.map(({ status }) => status)), new Set([404]))
          }
          assert.strictEqual((yield* request(`${gateway.url}/healthz`)).status, 401)
          const waiting = {
            ...rpc(ping).headers,
            authorization: "Bearer the-key-that-alice-holds",
            expect: "100-continue"
          }
          const answer = yield* send(`${gateway.url}/servers/remote/mcp`, { ...rpc(ping), headers: waiting })
          assert.strictEqual(answer.status, 200)
        })
    )

    it.effect("a person logs in through any worker, and then all have the token", () =>
      Effect.gen(function* () {
        const server = yield* startProtectedServer()
        const gateway = yield* serve(
          { store: { type: "memory" }, servers: [personalEntry(server.url)] },
          twoWorkers
        )
        const asked = yield* Effect.forEach(Array.from({ length: 3 }), () =>
          post(gateway.url, "echo", initialize)
        )
        const links = asked.map(({ text }) => JSON.parse(text).error?.data?.elicitations?.[0]?.url)
        assert.strictEqual(new Set(links).size, 1)
        assert.strictEqual((yield* logIn(String(links[0]), "alice", new BrowserCookies())).status, 200)
        const answers = yield* Effect.forEach(Array.from({ length: 6 }), () =>
          post(gateway.url, "echo", initialize)
        )
        assert.deepStrictEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
        assert.isTrue(answers.every(({ text }) => !text.includes('"error"')))
      })
    )
  })
})

describe("the number of workers", () => {
  layer(TestLayer, { excludeTestServices: true })((it) => {
    it.effect("one worker is one process", () =>
      Effect.gen(function* () {
        const { tokenUrl, url } = yield* startServer
        const gateway = yield* serve(
          { servers: [entry("remote", url, tokenUrl)] },
          ["--workers", "1"],
          secretEnvironment
        )
        assert.strictEqual((yield* post(gateway.url, "remote")).status, 200)
        assert.deepStrictEqual(childrenOf(gateway.pid), [])
      })
    )

    it.effect.each(["0", "1.5"])("--workers %s is refused, and the text says what may be given", (value) =>
      Effect.gen(function* () {
        const config = yield* writeConfig({ servers: [stateful] })
        const { exitCode, stderr, stdout } = yield* runGateway([
          "serve",
          "--config",
          config,
          "--workers",
          value
        ])
        assert.strictEqual(exitCode, 1)
        assert.strictEqual(stdout, "")
        assert.match(stderr, /workers/)
        assert.match(stderr, value === "0" ? /from 1 to 64/ : /integer/i)
      })
    )

    it.effect("a port that is in use is an error before a worker starts", () =>
      Effect.gen(function* () {
        const { url } = yield* serveRaw((_, response) => response.end())
        const config = yield* writeConfig({ servers: [stateful] })
        const { exitCode, stderr } = yield* runGateway([
          "serve",
          "--config",
          config,
          "--workers",
          "2",
          "--port",
          new URL(url).port
        ])
        assert.strictEqual(exitCode, 1)
        assert.match(stderr, /Cannot listen on .*EADDRINUSE/)
      })
    )
  })
})
