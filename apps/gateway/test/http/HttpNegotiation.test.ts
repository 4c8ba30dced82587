import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { once } from "node:events"
import { request as httpRequest } from "node:http"
import { buffer, text } from "node:stream/consumers"
import { send, serveRaw } from "./RawHttp.ts"
import { startGateway } from "./RunningGateway.ts"

const startEcho = Effect.gen(function* () {
  const upstream = yield* serveRaw(async (request, response) => {
    const body = await buffer(request)
    response.end(`${request.headers.expect}/${request.headers.upgrade}/${body.toString()}`)
  })
  const gateway = yield* startGateway({ servers: [{ server_name: "raw", config: { url: upstream.url } }] })
  return gateway.mcp("raw")
})

describe("HTTP negotiation", () => {
  it.effect("a client that waits for 100 Continue, as curl does, is told to send the body", () =>
    Effect.gen(function* () {
      const url = yield* startEcho
      const answer = yield* Effect.promise(async () => {
        const outgoing = httpRequest(url, {
          method: "POST",
          agent: false,
          headers: { expect: "100-continue", "content-length": 4 }
        })
        outgoing.flushHeaders()
        await once(outgoing, "continue")
        outgoing.end("body")
        const [response] = await once(outgoing, "response")
        return text(response)
      })
      assert.strictEqual(answer, "undefined/undefined/body")
    })
  )

  it.effect("a client that offers HTTP/2 with its request, as Java's does, is served with HTTP/1.1", () =>
    Effect.gen(function* () {
      const url = yield* startEcho
      const answer = yield* send(url, {
        method: "POST",
        headers: {
          connection: "Upgrade, HTTP2-Settings",
          "http2-settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
          upgrade: "h2c"
        },
        body: "body"
      })
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.body.toString(), "undefined/undefined/body")
    })
  )
})
