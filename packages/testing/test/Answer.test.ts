import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as http from "node:http"
import { once } from "node:events"
import { Answer, StubAuthorizationServer } from "../src/index.ts"

interface Plain {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

/** The bare client of Node: it follows nothing, decodes nothing and reports the system's error code. */
const post = async (url: string, signal?: AbortSignal): Promise<Plain> => {
  const request = http.request(url, { method: "POST", agent: false, ...(signal && { signal }) }).end("a=1")
  const [response] = (await once(request, "response")) as [http.IncomingMessage]
  let body = ""
  for await (const chunk of response.setEncoding("utf8")) body += String(chunk)
  return { status: response.statusCode ?? 0, headers: response.headers, body }
}

const answered = Effect.fnUntraced(function* (answer: Answer) {
  const server = yield* StubAuthorizationServer.make()
  yield* server.always("/token", answer)
  return yield* Effect.promise(() => post(server.endpoint("/token")))
})

describe("Answer", () => {
  it.effect("token is a good token answer", () =>
    Effect.gen(function* () {
      const { body, headers, status } = yield* answered(Answer.token())
      assert.strictEqual(status, 200)
      assert.strictEqual(headers["content-type"], "application/json")
      assert.strictEqual(headers["cache-control"], "no-store")
      assert.deepStrictEqual(JSON.parse(body), {
        access_token: "stub-access-token",
        token_type: "Bearer",
        expires_in: 3600
      })
    })
  )

  it.effect("token takes odd fields and drops undefined ones", () =>
    Effect.gen(function* () {
      const { body } = yield* answered(
        Answer.token({ access_token: 7, expires_in: "60", token_type: undefined, scope: "a b" })
      )
      assert.deepStrictEqual(JSON.parse(body), { access_token: 7, expires_in: "60", scope: "a b" })
    })
  )

  it.effect.each([
    {
      name: "json",
      answer: Answer.json({ error: "invalid_client" }, { status: 401, headers: { "x-a": "1" } }),
      status: 401,
      header: ["x-a", "1"],
      body: `{"error":"invalid_client"}`
    },
    {
      name: "form",
      answer: Answer.form({ access_token: "a b" }),
      status: 200,
      header: ["content-type", "application/x-www-form-urlencoded"],
      body: "access_token=a+b"
    },
    {
      name: "text with an HTML page",
      answer: Answer.text("<p>Log in</p>", { contentType: "text/html" }),
      status: 200,
      header: ["content-type", "text/html"],
      body: "<p>Log in</p>"
    },
    {
      name: "text with a byte order mark",
      answer: Answer.text("\uFEFF{}", { contentType: "application/json" }),
      status: 200,
      header: ["content-length", "5"],
      body: "\uFEFF{}"
    },
    {
      name: "redirect",
      answer: Answer.redirect("http://127.0.0.1:1/other", 307),
      status: 307,
      header: ["location", "http://127.0.0.1:1/other"],
      body: ""
    },
    {
      name: "status with seconds",
      answer: Answer.status(429, { retryAfter: 7 }),
      status: 429,
      header: ["retry-after", "7"],
      body: `{"error":"temporarily_unavailable"}`
    },
    {
      name: "status with a date",
      answer: Answer.status(503, { retryAfter: new Date(0) }),
      status: 503,
      header: ["retry-after", "Thu, 01 Jan 1970 00:00:00 GMT"],
      body: `{"error":"temporarily_unavailable"}`
    }
  ] as const)("the answer $name is as documented", ({ answer, body, header: [name, value], status }) =>
    Effect.gen(function* () {
      const received = yield* answered(answer)
      assert.deepStrictEqual(
        { status: received.status, value: received.headers[name], body: received.body },
        { status, value, body }
      )
    })
  )

  it.effect("truncatedJson is a complete message with half a JSON text", () =>
    Effect.gen(function* () {
      const { body, headers } = yield* answered(Answer.truncatedJson)
      assert.strictEqual(headers["content-length"], String(body.length))
      assert.throws(() => JSON.parse(body), SyntaxError)
    })
  )

  it.effect("giantBody is valid JSON of more than the size", () =>
    Effect.gen(function* () {
      const { body, headers } = yield* answered(Answer.giantBody(1_500_000))
      assert.isUndefined(headers["content-length"])
      assert.isAbove(body.length, 1_500_000)
      assert.property(JSON.parse(body), "access_token")
    })
  )

  it.effect("giantBody stops when the peer hangs up", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.giantBody(1e12))
      yield* Effect.promise(async () => {
        const request = http.request(server.endpoint("/token"), { agent: false }).end()
        const [response] = (await once(request, "response")) as [http.IncomingMessage]
        await once(response, "data")
        response.destroy()
      })
      yield* server.aborted(1)
    })
  )

  it.effect("reset sends RST before any answer", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.reset)
      const error = yield* Effect.promise(() =>
        post(server.endpoint("/token")).catch((error: unknown) => error)
      )
      // The system's own error: a connection that merely ends is "socket hang up".
      assert.propertyVal(error, "message", "read ECONNRESET")
      assert.lengthOf(yield* server.requests, 1)
    })
  )

  it.effect("resetMidBody delivers the head and a part of the body", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.resetMidBody)
      const part = yield* Effect.promise(async () => {
        const request = http.request(server.endpoint("/token"), { agent: false }).end()
        const [response] = (await once(request, "response")) as [http.IncomingMessage]
        let body = ""
        response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk))
        const [error] = (await once(response, "error")) as [NodeJS.ErrnoException]
        return { status: response.statusCode, code: error.code, body }
      })
      assert.deepStrictEqual(part, {
        status: 200,
        code: "ECONNRESET",
        body: `{"token_type":"Bearer","expires_in":3600`
      })
    })
  )

  it.effect("hang leaves the request open until the peer gives up", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      yield* server.always("/token", Answer.hang)
      const result = yield* Effect.forkChild(
        Effect.tryPromise((signal) => post(server.endpoint("/token"), signal))
      )
      yield* server.received(1)
      assert.isUndefined(result.pollUnsafe())
      yield* Fiber.interrupt(result)
      yield* server.aborted(1)
    })
  )

  it.effect("held answers when the test says so", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      const until = yield* Deferred.make<void>()
      yield* server.always("/token", Answer.held(until, Answer.token()))
      const result = yield* Effect.forkChild(Effect.promise(() => post(server.endpoint("/token"))))
      yield* server.received(1)
      assert.isUndefined(result.pollUnsafe())
      yield* Deferred.succeed(until, undefined)
      assert.strictEqual((yield* Fiber.join(result)).status, 200)
    })
  )

  it.effect("streamed sends each piece when it is given", () =>
    Effect.gen(function* () {
      const server = yield* StubAuthorizationServer.make()
      const pieces = yield* Queue.unbounded<string>()
      yield* server.always("/token", Answer.streamed(Stream.fromQueue(pieces).pipe(Stream.take(2))))
      const response = yield* Effect.promise(async () => {
        const request = http.request(server.endpoint("/token"), { agent: false }).end()
        const [response] = (await once(request, "response")) as [http.IncomingMessage]
        return response.setEncoding("utf8")
      })
      const ended = once(response, "end")
      for (const piece of ["first", "second"]) {
        const arrival = once(response, "data")
        yield* Queue.offer(pieces, piece)
        assert.deepStrictEqual(yield* Effect.promise(() => arrival), [piece])
      }
      yield* Effect.promise(() => ended)
      assert.isTrue(response.complete)
    })
  )

  it.effect("respondWith decides by the request", () =>
    Effect.gen(function* () {
      const { body } = yield* answered(
        Answer.respondWith((request) => Effect.succeed(Answer.text(request.form.get("a") ?? "")))
      )
      assert.strictEqual(body, "1")
    })
  )

  it.effect("respondWith answers 500 to its own defect", () =>
    Effect.gen(function* () {
      const { body, status } = yield* answered(Answer.respondWith(() => Effect.die(new Error("broken test"))))
      assert.strictEqual(status, 500)
      assert.include(body, "broken test")
    })
  )
})
