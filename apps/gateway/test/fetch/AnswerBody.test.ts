import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { JsonRpcMessage } from "../../../../packages/gateway-server/src/jsonrpc/JsonRpc.ts"
import {
  deliverMessages,
  fetchOk,
  readEvents,
  readText,
  sayingOf
} from "../../../../packages/gateway-server/src/fetch/AnswerBody.ts"
import type { FetchResponse } from "../../../../packages/gateway-server/src/fetch/Fetch.ts"
import { FakeBody, json, pass } from "../relay/FakeServer.ts"

const request = { method: "POST", headers: {} } as const

const fetchFrom = (response: FetchResponse) => Effect.scoped(fetchOk(() => Effect.succeed(response), request))

describe("the body of an answer", () => {
  it.each([
    ['{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"No session"}}', "No session"],
    ['{"error":"Invalid session"}', "Invalid session"],
    ['{"error":"invalid_request","error_description":"No session"}', "No session"],
    ['{"error":{"code":400,"message":"No session","status":"INVALID"}}', "No session"],
    ['{"detail":"Not Found"}', "Not Found"],
    ['{"message":"No\\n session"}', "No session"],
    ["No session\n", "No session"],
    ["<!DOCTYPE html><p>No session", undefined],
    ['{"code":1}', undefined],
    ["[]", undefined],
    ["", undefined]
  ])("%s says %s", (body, said) => assert.strictEqual(sayingOf(body), said))

  it.effect("an answer that goes beyond a bound is an error for the request that it answers", () =>
    Effect.gen(function* () {
      const delivered: Array<JsonRpcMessage["json"]> = []
      const deep = `${"[".repeat(40_000)}${"]".repeat(40_000)}`
      yield* deliverMessages(`{"jsonrpc":"2.0","result":${deep},"id":"seven"}`, ({ json }) =>
        Effect.sync(() => void delivered.push(json))
      )
      assert.lengthOf(delivered, 1)
      assert.strictEqual(delivered[0]?.["id"], "seven")
      assert.match(JSON.stringify(delivered[0]?.["error"]), /1000 levels/)
    })
  )

  it("what a server says is cut to a length that fits into an error", () =>
    assert.lengthOf(sayingOf("x".repeat(10_000)) ?? "", 200))

  it.effect("a refusal has the status, the body, what it says, and `Retry-After`", () =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(fetchFrom(json({ error: "busy" }, 429, { "retry-after": "7" })))
      assert.deepStrictEqual(
        [failure.kind, failure.status, failure.body, failure.retryAfter, failure.message],
        ["Refused", 429, '{"error":"busy"}', "7", "MCP server answered with HTTP status 429: busy"]
      )
    })
  )

  it.effect("a refusal does not wait without end for its body, nor take all of a long one", () =>
    Effect.gen(function* () {
      const hanging = yield* Effect.forkScoped(
        Effect.flip(fetchFrom({ ...json({}, 503), body: new FakeBody().write("wait") }))
      )
      yield* pass("5 seconds")
      assert.strictEqual((yield* Fiber.join(hanging)).status, 503)
      const long = yield* Effect.flip(fetchFrom(json("x".repeat(2 ** 21), 500)))
      assert.strictEqual(long.body, "")
    })
  )

  it.effect("a text is read up to the limit in bytes, whatever its pieces", () =>
    Effect.gen(function* () {
      const text = "grüße 🚀"
      const bytes = Buffer.from(text)
      const inPieces = () => {
        const body = new FakeBody()
        for (const byte of bytes) body.write(Buffer.from([byte]))
        return { ...json({}), body: body.end() }
      }
      assert.strictEqual(yield* readText(inPieces(), bytes.length), text)
      const failure = yield* Effect.flip(readText(inPieces(), bytes.length - 1))
      assert.include(failure.message, "limits.message_bytes")
    })
  )

  it.effect.each([
    ["one chunk", 16, (text: string) => new FakeBody().write(text).end()],
    ["a line that does not end", 32, (text: string) => new FakeBody().write(text.slice(0, -2))]
  ] as const)("an event over the limit is an error, in %s", ([, length, body]) =>
    Effect.gen(function* () {
      const texts: Array<string> = []
      const read = (data: string) =>
        readEvents({ ...json({}), body: body(`data: ${data}\n\n`) }, 30, (event) =>
          Effect.sync(() => {
            if (event._tag === "Event") texts.push(event.data)
          })
        )
      const failure = yield* Effect.flip(read("ü".repeat(length)))
      assert.include(failure.message, "limits.message_bytes")
      assert.lengthOf(texts, 0)
    })
  )
})
