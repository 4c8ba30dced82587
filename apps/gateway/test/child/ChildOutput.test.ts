import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { until } from "../bridge/bridgeServer.ts"
import { ChildLayer, program, startChild } from "./startedChild.ts"

/** Writes pieces one after the other, each as a write of its own. */
const inPieces = (pieces: string) => `
  const pieces = ${pieces}
  const next = () => pieces.length > 0 && process.stdout.write(pieces.shift(), () => setImmediate(next))
  next()
  setInterval(() => {}, 1000)
`

describe("the output of a child", () => {
  layer(ChildLayer, { excludeTestServices: true })((it) => {
    it.effect("what is no message is logged without secrets, and only messages are passed on", () =>
      Effect.gen(function* () {
        const { log, texts } = yield* startChild(
          program(
            `
            write("Server started with " + process.env.API_TOKEN)
            write("\\u001b[32minfo\\u001b[39m: ready")
            write(JSON.stringify({ level: 30, time: 1, msg: "pino", authorization: "Bearer " + process.env.API_TOKEN }))
            write(JSON.stringify({ level: "error", id: 1, error: "bunyan" }))
            write(JSON.stringify([{ level: "info", msg: "array" }]))
            process.stdout.write("Loading... ")
            write(answer(1, { hidden: "behind text" }))
            write(answer(2))
            setInterval(() => {}, 1000)`,
            { API_TOKEN: "canary-secret-value" }
          )
        )
        yield* until(() => texts().length > 0)
        assert.deepStrictEqual(texts(), ['{"jsonrpc":"2.0","id":2,"result":{}}'])
        for (const word of ["started with <redacted>", "info", "pino", "bunyan", "array", "Loading..."])
          assert.include(log(), word)
        assert.include(log(), "Bearer <redacted>")
        assert.notInclude(log(), "canary-secret-value")
        assert.lengthOf(log().split("Logs belong on standard error"), 2, "said once")
      })
    )

    it.effect("a message is read whether it comes byte by byte, with a byte order mark, or with others", () =>
      Effect.gen(function* () {
        const { log, texts } = yield* startChild(
          program(
            inPieces(`[
              ...Array.from(Buffer.from("\\uFEFF" + answer(1, { text: "é😀" }) + "\\r\\n"), (byte) => Buffer.of(byte)),
              "\\n\\r\\n" + answer(2) + "\\n\\uFEFF" + answer(3) + "\\r" + answer(4) + "\\nprogress 10%\\rprogress 100%\\r",
              answer(5) + "\\n"
            ]`)
          )
        )
        yield* until(() => texts().length === 5)
        assert.deepStrictEqual(
          texts().map((text) => JSON.parse(text).id),
          [1, 2, 3, 4, 5]
        )
        assert.include(texts()[0], "é😀")
        assert.include(log(), "progress 100%")
      })
    )

    it.effect("the last message of a child is read although it did not end its line", () =>
      Effect.gen(function* () {
        const { connection, texts } = yield* startChild(program(`process.stdout.write(answer(1))`))
        yield* connection.ended
        assert.lengthOf(texts(), 1)
      })
    )

    it.effect("a message over the limit is an error that names the limit, and the session goes on", () =>
      Effect.gen(function* () {
        const { connection, log, messages } = yield* startChild(
          program(`
            const long = "x".repeat(100_000)
            write(JSON.stringify({ jsonrpc: "2.0", id: 1, result: { long } }))
            write(JSON.stringify({ result: { long, id: 7 }, jsonrpc: "2.0", id: "two" }))
            write(JSON.stringify({ jsonrpc: "2.0", method: "notifications/message", params: { long } }))
            write(JSON.stringify({ method: "sampling/createMessage", params: { long }, jsonrpc: "2.0", id: "mine" }))
            write(long)
            onLine((line) => write(answer(3, { received: JSON.parse(line) })))`),
          { messageBytes: 10_000 }
        )
        yield* until(() => messages.length === 3)
        assert.deepStrictEqual(
          messages.map(({ json: { id, error } }) => [id, error !== undefined]),
          [
            [1, true],
            ["two", true],
            [3, false]
          ]
        )
        for (const { text } of messages) {
          assert.include(text, "limits.message_bytes")
          assert.include(text, "10000")
          assert.include(text, '\\"child\\"')
        }
        assert.include(messages[2]?.text, '"id":"mine"', "the child got an error for its own request")
        assert.strictEqual(log().split("limits.message_bytes").length - 1, 5)
        assert.notInclude(log(), "xxxxx")
        yield* connection.stop
      })
    )

    it.effect("a message beyond a bound is an error for its request, and the session goes on", () =>
      Effect.gen(function* () {
        const { connection, log, messages } = yield* startChild(
          program(`
            const deep = "[".repeat(40_000) + "]".repeat(40_000)
            write('{"jsonrpc":"2.0","id":1,"result":' + deep + "}")
            write('{"method":"sampling/createMessage","params":' + deep + ',"jsonrpc":"2.0","id":"mine"}')
            onLine((line) => write(answer(2, { received: JSON.parse(line) })))`)
        )
        yield* until(() => messages.length === 2)
        const [refused, answer] = messages
        assert.strictEqual(refused?.json["id"], 1)
        assert.match(refused?.text ?? "", /"error".*1000 levels/)
        assert.include(answer?.text, '"id":"mine"', "the child got an error for its own request")
        assert.lengthOf(log().split("1000 levels"), 3)
        yield* connection.stop
      })
    )

    it.effect("a line of a progress bar on the error output is logged as a terminal shows it", () =>
      Effect.gen(function* () {
        const { connection, log } = yield* startChild(
          program(`process.stderr.write("10%\\r50%\\rdone\\r\\nnext\\n")`)
        )
        yield* connection.ended
        assert.strictEqual(log(), "done\nnext")
      })
    )
  })
})
