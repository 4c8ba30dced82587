import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { ping, post } from "../cli/mcpMessages.ts"
import { echo, revisions } from "../http/McpClient.ts"
import { startGateway } from "../http/RunningGateway.ts"
import { connectPerson, failureOf, urlToOpen } from "./McpPerson.ts"
import { BrowserCookies, confirm, logIn, visit } from "./Person.ts"
import { personalEntry, startProtectedServer, type Pointer } from "./ProtectedServer.ts"

/** A gateway in front of a protected server, of which it is told the URL and nothing else. */
const stage = Effect.fnUntraced(function* (
  options: Parameters<typeof startProtectedServer>[0] = {},
  settings = {}
) {
  const server = yield* startProtectedServer(options)
  const document = { gateway: settings, store: { type: "memory" }, servers: [personalEntry(server.url)] }
  const gateway = yield* startGateway(document)
  const call = (message: object = ping, headers: Record<string, string> = {}) =>
    Effect.map(post(gateway.url, "echo", message, headers), ({ status, text }) => ({
      status,
      message: JSON.parse(text)
    }))
  const authorizationUrl = Effect.map(call(), ({ message }) => String(message.error.data.authorization_url))
  const logInAs = (name: string) => Effect.flatMap(authorizationUrl, (url) => logIn(url, name))
  return { server, gateway, call, authorizationUrl, logInAs }
})

const grantsOf = (server: Effect.Success<ReturnType<typeof startProtectedServer>>) =>
  Effect.map(server.authorizationServer.tokenRequests, (requests) =>
    requests.map(({ form }) => form["grant_type"])
  )

/** A tool call as revision 2026-07-28 writes it. */
const statelessCall = (params: object = {}, capabilities: object = { elicitation: { url: {} } }) => ({
  jsonrpc: "2.0",
  id: 5,
  method: "tools/call",
  params: {
    name: "echo_auth_header",
    arguments: {},
    ...params,
    _meta: {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": { name: "gateway-test", version: "1.0.0" },
      "io.modelcontextprotocol/clientCapabilities": capabilities
    }
  }
})

const statelessHeaders = {
  "mcp-protocol-version": "2026-07-28",
  "mcp-method": "tools/call",
  "mcp-name": "echo_auth_header"
}

const answered = (action: string) => ({ inputResponses: { secure_mcp_gateway_login: { action } } })

describe("a request that needs a login", () => {
  it.effect.each<Pointer>(["challenge", "well-known"])(
    "a 2025-11-25 client is asked to open a URL, the server being found by its %s",
    (pointer) =>
      Effect.gen(function* () {
        const { gateway, server } = yield* stage({ pointer })
        const connect = connectPerson(gateway.mcp("echo"), "2025-11-25")
        const refused = yield* failureOf(connect)
        const page = yield* logIn(urlToOpen(refused) ?? "", "alice")
        assert.strictEqual(page.status, 200)
        assert.include(page.text, "Logged in")

        const client = yield* connect
        assert.match(yield* echo(client), /^Received token: (?!No token)/)
        yield* server.authorizationServer.revokeAll
        const again = yield* failureOf(echo(client))
        assert.include(String(again), "Log in so that the gateway may use")
        yield* logIn(urlToOpen(again) ?? "", "alice")
        assert.match(yield* echo(client), /^Received token: (?!No token)/)
        assert.deepStrictEqual([...new Set(yield* server.callers)], ["alice"])
      })
  )

  it.effect("a 2026-07-28 client gets the URL, and its repeated call waits for the login", () =>
    Effect.gen(function* () {
      const { gateway, logInAs, server } = yield* stage({ pointer: "well-known" })
      yield* logInAs("alice")
      const run = Effect.runPromiseWith(yield* Effect.context())
      const opened: Array<string> = []
      const client = yield* connectPerson(gateway.mcp("echo"), "2026-07-28", {
        open: (url) => {
          opened.push(url)
          // The client says at once that the person agreed; the login itself takes longer.
          void run(logIn(url, "alice"))
        }
      })
      yield* server.authorizationServer.revokeAll
      assert.match(yield* echo(client), /^Received token: (?!No token)/)
      assert.lengthOf(opened, 1)
      const bodies = (yield* server.front.requestsTo("/mcp")).map(({ body }) => body)
      assert.isTrue(bodies.some((body) => body.includes("echo_auth_header")))
      assert.isFalse(bodies.some((body) => body.includes("secure_mcp_gateway_login")))
      assert.isFalse(bodies.some((body) => body.includes("inputResponses")))
    })
  )

  it.effect("a 2026-07-28 call is answered with an input request and HTTP 200", () =>
    Effect.gen(function* () {
      const { authorizationUrl, call } = yield* stage()
      const url = yield* authorizationUrl
      const { message, status } = yield* call(statelessCall(), statelessHeaders)
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(message, {
        jsonrpc: "2.0",
        id: 5,
        result: {
          resultType: "input_required",
          inputRequests: {
            secure_mcp_gateway_login: {
              method: "elicitation/create",
              params: {
                mode: "url",
                url,
                message: 'Log in so that the gateway may use "echo" for you, then repeat the request'
              }
            }
          }
        }
      })
    })
  )

  it.effect("a login is asked for again when the person declines or takes longer than a minute", () =>
    Effect.gen(function* () {
      const { call } = yield* stage()
      for (const action of ["decline", "cancel"]) {
        const { message } = yield* call(statelessCall(answered(action)), statelessHeaders)
        assert.strictEqual(message.result.resultType, "input_required", action)
      }
      const waiting = yield* Effect.forkChild(call(statelessCall(answered("accept")), statelessHeaders))
      let late = waiting.pollUnsafe()
      // Each of these requests finds the one before it either waiting or answered.
      for (let turn = 0; turn < 100 && late === undefined; turn += 1) {
        yield* call()
        yield* TestClock.adjust("61 seconds")
        late = waiting.pollUnsafe()
      }
      assert.strictEqual((yield* Fiber.join(waiting)).message.result.resultType, "input_required")
    })
  )

  it.effect("over limits.waiting_logins no further request waits for a login", () =>
    Effect.gen(function* () {
      const { call } = yield* stage({}, { limits: { waiting_logins: 1 } })
      const accept = call(statelessCall(answered("accept")), statelessHeaders)
      const both = yield* Effect.forkChild(Effect.raceFirst(accept, accept))
      const { message, status } = yield* Fiber.join(both)
      assert.strictEqual(status, 429)
      assert.strictEqual(message.error.data.reason, "TooManyRequests")
      assert.include(message.error.message, "limits.waiting_logins")
      assert.strictEqual((yield* call()).status, 502, "another request is asked to log in, as ever")
    })
  )

  it.effect.each([
    { who: "an older client", message: ping, headers: { "mcp-protocol-version": "2025-06-18" } },
    { who: "a client that says no revision", message: ping, headers: {} },
    {
      who: "a 2026-07-28 client that shows no URLs",
      message: statelessCall({}, {}),
      headers: statelessHeaders
    },
    {
      who: "a 2026-07-28 client that shows forms only",
      message: statelessCall({}, { elicitation: { form: {} } }),
      headers: statelessHeaders
    },
    {
      who: "a 2026-07-28 request that takes no question",
      message: { ...statelessCall(), method: "tools/list" },
      headers: { ...statelessHeaders, "mcp-method": "tools/list" }
    }
  ])("$who gets the URL in an error", ({ headers, message }) =>
    Effect.gen(function* () {
      const { call, server } = yield* stage()
      const answer = yield* call(message, headers)
      assert.strictEqual(answer.status, 502)
      assert.strictEqual(answer.message.id, message.id)
      assert.strictEqual(answer.message.error.code, -31001)
      assert.strictEqual(answer.message.error.data.reason, "AuthorizationRequired")
      const url = new URL(answer.message.error.data.authorization_url)
      assert.match(url.pathname, /^\/login\/[\w-]{43}$/)
      assert.strictEqual(new URL(yield* confirm(url.href)).origin, server.authorizationServer.issuer)
      assert.isEmpty(yield* server.callers)
    })
  )

  it.effect("many requests for the same login start it once", () =>
    Effect.gen(function* () {
      const { authorizationUrl } = yield* stage()
      assert.strictEqual(yield* authorizationUrl, yield* authorizationUrl)
    })
  )

  it.effect("a person who denies the login is not logged in, and is asked again", () =>
    Effect.gen(function* () {
      const { authorizationUrl, call } = yield* stage()
      const link = yield* authorizationUrl
      const cookies = new BrowserCookies()
      const url = new URL(yield* confirm(link, cookies))
      const callback = new URL(url.searchParams.get("redirect_uri") ?? "")
      callback.search = String(
        new URLSearchParams({
          state: url.searchParams.get("state") ?? "",
          iss: url.origin,
          error: "access_denied",
          error_description: "<b>no</b>"
        })
      )
      const page = yield* visit(callback.href, { headers: cookies.header(callback.href) })
      assert.include(page.text, "Not logged in")
      assert.include(page.text, "access_denied")
      assert.notInclude(page.text, "<b>")
      const { message } = yield* call()
      assert.strictEqual(message.error.data.reason, "AuthorizationRequired")
      assert.notStrictEqual(yield* confirm(message.error.data.authorization_url), url.href)
    })
  )
})

describe("a grant that was given", () => {
  it.effect.each(revisions)(
    "a grant is renewed on 401, before its end and after it, without the person (%s)",
    (revision) =>
      Effect.gen(function* () {
        const { gateway, logInAs, server } = yield* stage({
          accessTokenLifetime: 1000,
          pointer: "well-known"
        })
        yield* logInAs("alice")
        const client = yield* connectPerson(gateway.mcp("echo"), revision)
        const first = yield* echo(client)
        assert.deepStrictEqual(yield* grantsOf(server), ["authorization_code"])

        yield* server.authorizationServer.revokeAccessTokens
        const second = yield* echo(client)
        assert.notStrictEqual(second, first)
        assert.deepStrictEqual((yield* grantsOf(server)).slice(1), ["refresh_token"])

        yield* TestClock.adjust("800 seconds")
        let early = yield* echo(client)
        assert.strictEqual(early, second, "a good token is served at once, and renewed meanwhile")
        for (let turn = 0; turn < 100 && early === second; turn += 1) early = yield* echo(client)
        assert.notStrictEqual(early, second)

        yield* TestClock.adjust("1001 seconds")
        assert.notStrictEqual(yield* echo(client), early)
        assert.deepStrictEqual((yield* grantsOf(server)).slice(1), Array(3).fill("refresh_token"))
        const tokens = yield* server.callers
        assert.deepStrictEqual([...new Set(tokens)], ["alice"])
      })
  )
})
