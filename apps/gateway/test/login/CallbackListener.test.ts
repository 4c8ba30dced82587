import { assert, describe, it } from "@effect/vitest"
import { AuthorizationDenied, AuthorizationResponseInvalid, OAuthError } from "@secure-mcp/oauth-core"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { once } from "node:events"
import * as net from "node:net"
import { makeCallbackListener } from "../../../../packages/gateway-server/src/login/CallbackListener.ts"
import { converse } from "../http/wire/RawConnection.ts"
import { visit } from "./Person.ts"

const path = "/oauth/callback"

/** Completes a login for the right state, and counts the calls. */
const completing = (held: Effect.Effect<unknown> = Effect.void) => {
  const asked: Array<string> = []
  const complete = (parameters: URLSearchParams) => {
    asked.push(parameters.toString())
    return parameters.get("state") === "right"
      ? Effect.as(held, { serverName: "echo" })
      : Effect.fail(failure(new AuthorizationResponseInvalid({ problem: "its `state` is wrong" })))
  }
  return { asked, complete }
}

const failure = (reason: OAuthError["reason"]) =>
  new OAuthError({ operation: "log in", serverName: "echo", correlationId: "1", reason })

const listen = Effect.fnUntraced(function* (complete: ReturnType<typeof completing>["complete"]) {
  const listener = yield* makeCallbackListener({ host: "127.0.0.1", port: 0, complete })
  return yield* listener.redirectUri(path)
})

/** A connection that is opened and never used, as browsers have them. */
const idleConnection = (url: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = net.connect(Number(new URL(url).port), "127.0.0.1")
      await once(socket, "connect")
      return socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

describe("the callback listener", () => {
  it.effect("accepts only the right path, method and state, and continues after anything else", () =>
    Effect.gen(function* () {
      const { asked, complete } = completing()
      const url = yield* listen(complete)
      const { origin } = new URL(url)
      assert.strictEqual((yield* visit(`${origin}/favicon.ico`)).status, 404)
      assert.strictEqual((yield* visit(`${origin}/?state=right&code=1`)).status, 404)
      assert.strictEqual((yield* visit(`${url}/more?state=right&code=1`)).status, 404)
      assert.strictEqual((yield* visit(`${url}?state=right&code=1`, { method: "POST" })).status, 405)
      assert.strictEqual((yield* visit(`${url}?state=right&code=1`, { method: "HEAD" })).status, 200)
      assert.isEmpty(asked)
      const wrong = yield* visit(`${url}?state=wrong&code=1`)
      assert.strictEqual(wrong.status, 400)
      assert.include(wrong.text, "Not logged in")
      const right = yield* visit(`${url}?state=right&code=1`)
      assert.strictEqual(right.status, 200)
      assert.include(right.text, "Logged in")
      assert.deepStrictEqual(asked, ["state=wrong&code=1", "state=right&code=1"])
    })
  )

  for (const method of ["GET", "CONNECT"]) {
    it.effect(`${method}: a client of the callback that has closed its sending side is answered`, () =>
      Effect.gen(function* () {
        const { complete } = completing(Effect.promise(() => new Promise(setImmediate)))
        const url = yield* listen(complete)
        const answer = yield* converse(
          url,
          `${method} ${path}?state=right&code=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`,
          { halfClosed: true }
        )
        assert.match(answer, method === "GET" ? /^HTTP\/1\.1 200 .*Logged in/s : /^HTTP\/1\.1 501 /)
      })
    )
  }

  it.effect("reports a successful login only after the code is exchanged", () =>
    Effect.gen(function* () {
      const exchanged = yield* Deferred.make<void>()
      const reached = yield* Deferred.make<void>()
      const { complete } = completing(
        Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(exchanged))
      )
      const url = yield* listen(complete)
      const page = yield* Effect.forkChild(visit(`${url}?state=right`))
      yield* Deferred.await(reached)
      assert.isUndefined(page.pollUnsafe(), "there is no page yet")
      yield* Deferred.succeed(exchanged, undefined)
      assert.include((yield* Fiber.join(page)).text, "Logged in")
    })
  )

  it.effect("shows the server's error as text, on a page that sends no Referer", () =>
    Effect.gen(function* () {
      const description = `<script>alert("1")</script>&'`
      const url = yield* listen(() =>
        Effect.fail(failure(new AuthorizationDenied({ error: "access_denied", description })))
      )
      const answer = yield* Effect.promise(() => fetch(`${url}?state=x&error=access_denied`))
      const text = yield* Effect.promise(() => answer.text())
      assert.strictEqual(answer.status, 400)
      assert.include(text, "&#60;script&#62;alert(&#34;1&#34;)&#60;/script&#62;&#38;&#39;")
      assert.notInclude(text, "<script")
      assert.strictEqual(answer.headers.get("cache-control"), "no-store")
      assert.strictEqual(answer.headers.get("referrer-policy"), "no-referrer")
      assert.include(answer.headers.get("content-security-policy") ?? "", "default-src 'none'")
    })
  )

  it.effect("answers a bug with a page that does not describe it, and continues", () =>
    Effect.gen(function* () {
      const url = yield* listen((parameters) =>
        parameters.has("bug") ? Effect.die(new Error("inside")) : Effect.succeed({ serverName: "echo" })
      )
      const broken = yield* visit(`${url}?bug`)
      assert.strictEqual(broken.status, 500)
      assert.notInclude(broken.text, "inside")
      assert.strictEqual((yield* visit(`${url}?state=right`)).status, 200)
    })
  )

  it.effect("a browser that leaves while its code is exchanged does not delay the closing", () =>
    Effect.gen(function* () {
      const [reached, exchanged] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const scope = yield* Scope.make()
      const { complete } = completing(
        Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(exchanged))
      )
      const url = yield* listen(complete).pipe(Scope.provide(scope))
      // The server answers what it cannot read with 400, and hangs up.
      const answered = yield* Effect.forkChild(
        converse(url, `GET ${path}?state=right HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nno HTTP\r\n\r\n`)
      )
      yield* Deferred.await(reached)
      assert.match(yield* Fiber.join(answered), /^HTTP\/1\.1 400 /)
      yield* Deferred.succeed(exchanged, undefined)
      yield* Scope.close(scope, Exit.void)
    })
  )

  it.effect("an idle connection delays neither a login nor the closing", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const url = yield* listen(completing().complete).pipe(Scope.provide(scope))
      const idle = yield* idleConnection(url)
      const hungUp = once(idle.resume(), "close")
      assert.strictEqual((yield* visit(`${url}?state=right`)).status, 200)
      yield* Scope.close(scope, Exit.void)
      yield* Effect.promise(() => hungUp)
    })
  )

  it.effect("closes after the page of a login is written", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const reached = yield* Deferred.make<void>()
      const exchanged = yield* Deferred.make<void>()
      const { complete } = completing(
        Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(exchanged))
      )
      const url = yield* listen(complete).pipe(Scope.provide(scope))
      const page = yield* Effect.forkChild(visit(`${url}?state=right`))
      yield* Deferred.await(reached)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* Deferred.succeed(exchanged, undefined)
      yield* Fiber.join(closing)
      assert.include((yield* Fiber.join(page)).text, "Logged in")
    })
  )

  it.effect("says the address where it cannot listen, and why", () =>
    Effect.gen(function* () {
      const { complete } = completing()
      const port = Number(new URL(yield* listen(complete)).port)
      const error = yield* Effect.flip(makeCallbackListener({ host: "127.0.0.1", port, complete }))
      assert.include(
        error.message,
        `Cannot listen for the end of a login on 127.0.0.1:${port} (EADDRINUSE). Free the port`
      )
    })
  )

  it.effect("gives the redirect URI of the address that it was bound to", () =>
    Effect.gen(function* () {
      const { complete } = completing()
      const listener = yield* makeCallbackListener({ host: "::1", port: 0, complete })
      const url = yield* listener.redirectUri(path)
      assert.match(url, /^http:\/\/\[::1\]:[1-9]\d*\/oauth\/callback$/)
      assert.strictEqual((yield* visit(`${url}?state=right`)).status, 200)
    })
  )

  it.effect("a redirect to localhost is answered over IPv4 and IPv6", () =>
    Effect.gen(function* () {
      const { asked, complete } = completing()
      const listener = yield* makeCallbackListener({ host: "localhost", port: 0, complete })
      const url = yield* listener.redirectUri(path)
      assert.match(url, /^http:\/\/localhost:[1-9]\d*\/oauth\/callback$/)
      for (const host of ["127.0.0.1", "[::1]"]) {
        const answer = yield* visit(`${url.replace("localhost", host)}?state=right`)
        assert.strictEqual(answer.status, 200, host)
      }
      assert.lengthOf(asked, 2)
    })
  )

  it.effect(
    "a port of localhost that another program has in one family is refused, since it would get the code",
    () =>
      Effect.gen(function* () {
        const other = yield* makeCallbackListener({ host: "::1", port: 0, complete: completing().complete })
        const port = Number(new URL(yield* other.redirectUri(path)).port)
        const { complete } = completing()
        const error = yield* Effect.flip(makeCallbackListener({ host: "localhost", port, complete }))
        assert.include(error.message, "EADDRINUSE")
      })
  )
})
