import {
  elementsOf,
  isMessage,
  type JsonRpcMessage,
  LongMessageReader,
  makeLineReader,
  parseJsonRpc,
  readMessageLine,
  removeAt,
  replaceAt,
  requestIdOf,
  sourceAt
} from "@secure-mcp/gateway-server/internal"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { isDeepStrictEqual } from "node:util"
import { jsonRpcText } from "../input/JsonRpcTexts.ts"
import { inPieces } from "../input/Pieces.ts"
import { bufferOf, bytesOf } from "../input/Texts.ts"
import { Broken, type Target } from "../run/Target.ts"
import { nextTurn } from "../run/TurnWatch.ts"

const Input = Schema.Struct({
  lineEnd: Schema.Literals(["lf", "crOrLf"]),
  /** Of a line. */
  maxBytes: Schema.Int,
  /** Bytes, one in each character. */
  pieces: Schema.Array(Schema.String)
})

const stream = fc
  .array(fc.tuple(jsonRpcText(), fc.constantFrom("\n", "\n", "\r\n", "\r", "\n\n")), { maxLength: 6 })
  .map((lines) => bytesOf(lines.map(([text, end]) => text + end).join("")))

/** The lines on which stdio servers and clients write JSON-RPC messages. */
export const jsonRpcLines: Target<typeof Input.Type> = {
  name: "jsonrpc-lines",
  input: Input,
  secrets: [],
  inputs: fc.record({
    lineEnd: fc.constantFrom("lf", "crOrLf"),
    maxBytes: fc.oneof(fc.constant(4 * 2 ** 20), fc.integer({ min: 1, max: 300 })),
    pieces: inPieces(stream)
  }),
  open: Effect.succeed((input) =>
    Effect.gen(function* () {
      const cut = read(input, input.pieces)
      // What the readers compute is measured, and not what is compared here.
      yield* nextTurn
      if (!isDeepStrictEqual(cut, read(input, [input.pieces.join("")])))
        return yield* new Broken({ problem: "the same lines, wherever their bytes are cut" })
      for (const line of cut.filter((one) => typeof one === "string")) {
        yield* nextTurn
        const problem = yield* problemOfLine(line)
        if (problem !== undefined) return yield* new Broken({ problem })
        for (const message of parseJsonRpc(line)?.messages.slice(0, mostMessages) ?? []) {
          for (const key of Object.keys(message.json).slice(0, mostMembers)) {
            yield* nextTurn
            const wrong = problemOfMember(message, key)
            if (wrong !== undefined) return yield* new Broken({ problem: wrong })
          }
        }
      }
      return []
    })
  )
}

/** Messages of a line, and members of a message, that are looked at closely. */
const mostMessages = 20
const mostMembers = 8

const read = ({ lineEnd, maxBytes }: typeof Input.Type, pieces: ReadonlyArray<string>) => {
  const reader = makeLineReader({ lineEnd, maxBytes, onTooLong: () => new LongMessageReader() })
  return [...pieces.flatMap((piece) => reader.read(bufferOf(piece))), ...reader.finish()]
}

/** What is wrong with how a line was read; undefined if nothing is. */
const problemOfLine = (line: string) =>
  Effect.map(readMessageLine(line), ({ messages, noise, unreadable }): string | undefined => {
    if (messages.some(({ json }) => !isMessage(json))) return "a message is one of JSON-RPC"
    const isBlank = line.includes("\u001B") || line.replaceAll(/[\s\uFEFF]/g, "") === ""
    const isEmpty = messages.length === 0 && noise.length === 0 && unreadable === undefined
    return isEmpty && !isBlank ? "a line is a message or noise" : elementsProblem(line)
  })

const problemOfMember = ({ json, text }: JsonRpcMessage, key: string): string | undefined => {
  const name = JSON.stringify(key)
  const source = sourceAt(text, [key])
  if (source === undefined || !isDeepStrictEqual(JSON.parse(source), json[key]))
    return `the value of ${name} is found in the text`
  const replaced: unknown = JSON.parse(replaceAt(text, [key], '"new"'))
  if (!isDeepStrictEqual(replaced, withOwn(json, key, "new"))) return `only the value of ${name} is replaced`
  const removed: object = JSON.parse(removeAt(text, [key]))
  if (Object.hasOwn(removed, key)) return `the value of ${name} is removed`
  const id = requestIdOf({ json, text })
  return id === undefined || JSON.parse(id) === json["id"] ? undefined : "the id is that of the message"
}

/** A copy with another value, also under a name such as `__proto__`. */
const withOwn = (json: object, key: string, value: unknown): object =>
  JSON.parse(
    JSON.stringify(
      Object.fromEntries(Object.entries(json).map(([name, old]) => [name, name === key ? value : old]))
    )
  )

const elementsProblem = (line: string): string | undefined => {
  const values = arrayIn(line)
  if (values === undefined) return undefined
  const found = elementsOf(line.trim()).map((text): unknown => JSON.parse(text))
  return isDeepStrictEqual(found, values) ? undefined : "the elements of an array are found in its text"
}

const arrayIn = (line: string): ReadonlyArray<unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(line)
    return Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}
