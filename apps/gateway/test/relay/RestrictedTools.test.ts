import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { restrictedSession } from "@secure-mcp/gateway-server/internal"
import { parseOnlyMessage } from "../../../../packages/gateway-server/src/jsonrpc/JsonRpc.ts"
import type {
  Deliver,
  ServerSession
} from "../../../../packages/gateway-server/src/relay/session/ServerSession.ts"
import type { JsonRpcMessage } from "@secure-mcp/gateway-server/internal"

const message = (value: object): JsonRpcMessage =>
  parseOnlyMessage(JSON.stringify({ jsonrpc: "2.0", ...value })) ?? assert.fail("no message")

const list = { id: 1, result: { tools: [{ name: "get_a" }, { name: "set_a" }] } }

/** A session that says what it was sent, and answers with a list of tools. */
const start = Effect.gen(function* () {
  const sent: Array<unknown> = []
  const delivered: Array<unknown> = []
  const connect = (deliver: Deliver): Effect.Effect<ServerSession> =>
    Effect.succeed({
      post: (posted) => {
        sent.push(posted.json["method"])
        return deliver(message(list))
      },
      postNow: (posted, _id, onEnd) => {
        sent.push(posted.json["method"])
        onEnd(message(list))
        return { abort: () => undefined }
      },
      listen: Effect.void,
      end: Effect.void
    })
  const session = yield* restrictedSession(
    { deny: ["set_*"] },
    connect
  )((found) => Effect.sync(() => void delivered.push(JSON.parse(found.text))))
  return { sent, delivered, session }
})

const call = (name: string) => message({ id: 1, method: "tools/call", params: { name } })

describe("a relay to a server with tools that are not allowed", () => {
  it.effect("a relay delivers a list without the tools that are not allowed, with a fiber and without", () =>
    Effect.gen(function* () {
      const { delivered, sent, session } = yield* start
      const expected = { jsonrpc: "2.0", id: 1, result: { tools: [{ name: "get_a" }] } }
      yield* session.post(message({ id: 1, method: "tools/list" }))
      assert.deepStrictEqual(delivered, [expected])
      let end: unknown
      const request = message({ id: 1, method: "tools/list" })
      assert.isDefined(
        session.postNow?.(request, "1" as never, (found) => {
          end = Effect.isEffect(found) ? undefined : JSON.parse(found.text)
        })
      )
      assert.deepStrictEqual(end, expected)
      assert.deepStrictEqual(sent, ["tools/list", "tools/list"])
    })
  )

  it.effect("a relay answers a call of such a tool itself", () =>
    Effect.gen(function* () {
      const { delivered, sent, session } = yield* start
      assert.isUndefined(session.postNow?.(call("set_a"), "1" as never, () => assert.fail("answered")))
      yield* session.post(call("set_a"))
      yield* session.post(message({ method: "tools/call", params: { name: "set_a" } }))
      assert.deepStrictEqual(sent, [])
      assert.lengthOf(delivered, 1)
      assert.match(JSON.stringify(delivered[0]), /"id":1,.*-32602.*does not allow the tool \\"set_a\\"/)
      yield* session.post(call("get_a"))
      assert.deepStrictEqual(sent, ["tools/call"])
    })
  )
})
