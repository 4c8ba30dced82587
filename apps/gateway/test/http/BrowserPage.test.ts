import { assert, beforeAll, describe, it } from "@effect/vitest"
import { chromiumProgram, requireProgram } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { openPage } from "../login/Chromium.ts"
import { serveRaw } from "./RawHttp.ts"
import { startGateway } from "./RunningGateway.ts"

const apiKey = "a-key-of-the-gateway"

/** What the page does; `at` in its own address is the gateway's. */
const pageScript = `
const at = new URLSearchParams(location.search).get("at")
const call = async (method, headers) => {
  const answer = await fetch(at, {
    method,
    headers: { accept: "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25", ...headers },
    body: method === "POST" ? "{}" : undefined
  })
  return answer.status + " " + answer.headers.get("mcp-session-id") + " " + (await answer.text())
}
const useServer = async (authorization) => {
  const known = { authorization, "mcp-session-id": "session-7" }
  return [
    await call("POST", {}),
    await call("POST", { authorization, "content-type": "application/json", "mcp-param-a": "b" }),
    await call("GET", { ...known, "last-event-id": "1" }),
    await call("DELETE", known)
  ]
}
const reachServer = async () => {
  const image = new Promise((resolve) => {
    const element = new Image()
    for (const event of ["load", "error"]) element.addEventListener(event, () => resolve(event))
    element.src = at
  })
  const sandboxed = new Promise((resolve) => {
    addEventListener("message", ({ data }) => resolve(data), { once: true })
    const frame = document.createElement("iframe")
    frame.sandbox.add("allow-scripts")
    frame.srcdoc = "<script>fetch('" + at + "', { method: 'POST', body: '{}' })" +
      ".then(() => 'answered', () => 'refused').then((said) => parent.postMessage(said, '*'))</scr" + "ipt>"
    document.body.append(frame)
  })
  await fetch(at, { mode: "no-cors" })
  return [await image, await sandboxed]
}`

/** A page of another site than the gateway: Chromium takes localhost and 127.0.0.1 for two. */
const openClientPage = Effect.fnUntraced(function* (executable: string, settings: object) {
  const received: Array<string> = []
  const upstream = yield* serveRaw((request, response) => {
    received.push(`${request.method} ${request.headers["mcp-session-id"]}`)
    if (request.method === "GET") {
      response.writeHead(200, { "content-type": "text/event-stream" }).end("data: {}\n\n")
    } else response.writeHead(200, { "mcp-session-id": "session-7" }).end('{"jsonrpc":"2.0"}')
  })
  const gateway = yield* startGateway({
    servers: [{ server_name: "raw", config: { url: upstream.url } }],
    gateway: settings
  })
  const web = yield* serveRaw((_request, response) =>
    response.writeHead(200, { "content-type": "text/html" }).end(`<body><script>${pageScript}</script>`)
  )
  const page = yield* openPage(executable)
  const address = web.url.replace("127.0.0.1", "localhost")
  yield* Effect.promise(() => page.goto(`${address}?at=${gateway.mcp("raw")}`))
  return {
    received,
    evaluate: (expression: string) => Effect.promise(() => page.evaluate<unknown>(expression))
  }
})

describe("a page in Chromium", () => {
  let executable: string | undefined
  beforeAll(() => {
    executable = requireProgram(chromiumProgram)
  })

  it.effect("a page of an allowed origin uses a server as any MCP client does", (test) =>
    Effect.gen(function* () {
      if (executable === undefined) return test.skip("there is no Chromium")
      const { evaluate, received } = yield* openClientPage(executable, { api_keys: [apiKey] })
      assert.deepStrictEqual(yield* evaluate(`useServer("Bearer ${apiKey}")`), [
        "401 null This gateway wants one of its API keys as Authorization: Bearer\n",
        '200 session-7 {"jsonrpc":"2.0"}',
        "200 null data: {}\n\n",
        '200 session-7 {"jsonrpc":"2.0"}'
      ])
      assert.deepStrictEqual(received, ["POST undefined", "GET session-7", "DELETE session-7"])
    })
  )

  it.effect("an image, a sandboxed frame and a request without CORS do not reach a server", (test) =>
    Effect.gen(function* () {
      if (executable === undefined) return test.skip("there is no Chromium")
      const { evaluate, received } = yield* openClientPage(executable, {})
      assert.deepStrictEqual(yield* evaluate("reachServer()"), ["error", "refused"])
      assert.isEmpty(received)
    })
  )

  it.effect("an answer of a server that is opened in a tab runs no script at the gateway's origin", (test) =>
    Effect.gen(function* () {
      if (executable === undefined) return test.skip("there is no Chromium")
      const script = "<script>document.title = 'it runs'</script><h1>a page</h1>"
      const upstream = yield* serveRaw((_request, response) =>
        response.writeHead(200, { "content-type": "text/html" }).end(script)
      )
      const gateway = yield* startGateway({
        servers: [{ server_name: "raw", config: { url: upstream.url } }]
      })
      const page = yield* openPage(executable)
      const opened = yield* Effect.promise(() => page.goto(gateway.mcp("raw")))
      assert.strictEqual(opened?.status(), 403)
      assert.isEmpty(yield* Effect.promise(() => page.title()))
    })
  )
})
