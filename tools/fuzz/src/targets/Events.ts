import { connectSse, type Fetch, type FetchResponse, readEvents } from "@secure-mcp/gateway-server/internal"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { isDeepStrictEqual } from "node:util"
import { jsonRpcText } from "../input/JsonRpcTexts.ts"
import { inPieces } from "../input/Pieces.ts"
import { secretNamed } from "../input/Secrets.ts"
import { bufferOf, bytesOf, hostileText, sometimesDamaged } from "../input/Texts.ts"
import { Broken, type Target } from "../run/Target.ts"
import { inVirtualTime } from "../servers/VirtualTime.ts"

/** In the query of the stream's address and in what the server sends: it names a session, so no log has it. */
const session = secretNamed("session")

const Input = Schema.Struct({
  contentType: Schema.String,
  /** What a POST is answered with. */
  acceptance: Schema.Int,
  /** The stream's bytes, one in each character. */
  pieces: Schema.Array(Schema.String)
})

const lineEnd = fc.constantFrom("\n", "\n", "\r\n", "\r")

const field = fc
  .tuple(
    fc.constantFrom("data", "data", "event", "id", "retry", "", "data:", "x"),
    fc.constantFrom(": ", ":", "", " : "),
    fc.oneof(
      { weight: 3, arbitrary: jsonRpcText() },
      { weight: 1, arbitrary: fc.constantFrom("endpoint", "message", "1", "99999999999", "-1", "é\0") },
      { weight: 1, arbitrary: hostileText([session]) }
    ),
    lineEnd
  )
  .map(([name, colon, value, end]) => name + colon + value + end)

const endpoint = fc.constantFrom(
  `event: endpoint\ndata: /messages?session=${session}\n\n`,
  "event: endpoint\r\ndata: https://evil.example/\r\n\r\n",
  `event: endpoint\ndata: //${session}@mcp.example/\n\n`,
  "event: endpoint\ndata: http://[\n\n",
  "event:endpoint\ndata\n\n",
  ""
)

const answer = `event: message\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n`

const stream = fc
  .tuple(
    fc.constantFrom("", "\uFEFF"),
    endpoint,
    fc.array(fc.tuple(field, fc.constantFrom("", "\n", "\r\n")), { maxLength: 8 }),
    fc.constantFrom("", answer)
  )
  .map(([mark, first, fields, last]) => mark + first + fields.flat().join("") + last)

/** Streams of events (text/event-stream), and HTTP+SSE, the transport of MCP 2024-11-05. */
export const events: Target<typeof Input.Type> = {
  name: "events",
  input: Input,
  secrets: [session],
  inputs: fc.record({
    contentType: fc.constantFrom(
      "text/event-stream",
      "text/event-stream",
      "Text/Event-Stream; charset=x",
      "text/html"
    ),
    acceptance: fc.constantFrom(202, 202, 200, 400, 404, 500),
    pieces: inPieces(sometimesDamaged(stream, hostileText([session])).map(bytesOf))
  }),
  open: Effect.succeed((input) =>
    Effect.gen(function* () {
      const whole = input.pieces.join("")
      const cut = yield* eventsIn(input.pieces)
      // A limit is reached earlier where more has to be kept.
      const isShort = whole.length <= longestMessage
      if (isShort && !isDeepStrictEqual(cut, yield* eventsIn([whole])))
        return yield* new Broken({ problem: "the same events, wherever their bytes are cut" })
      // The messages themselves may hold anything: they are for the client.
      yield* inVirtualTime(Effect.scoped(converse(input)))
      return []
    })
  )
}

const longestMessage = 32 * 1024

const eventsIn = Effect.fnUntraced(function* (pieces: ReadonlyArray<string>) {
  const seen: Array<unknown> = []
  const outcome = yield* Effect.result(
    readEvents(responseOf("text/event-stream", 200, pieces), longestMessage, (event) =>
      Effect.sync(() => void seen.push({ ...event }))
    )
  )
  return { seen, outcome: outcome._tag }
})

/** Opens the connection and sends a request; ends when the connection does. */
const converse = Effect.fnUntraced(function* ({ acceptance, contentType, pieces }: typeof Input.Type) {
  const fetch: Fetch = ({ method }) =>
    Effect.succeed(
      method === "GET"
        ? responseOf(contentType, 200, pieces)
        : responseOf("text/plain", acceptance, [`no session ${session}`])
    )
  const opened = yield* Effect.result(connectSse({ fetch, messageBytes: longestMessage }, () => Effect.void))
  if (opened._tag === "Failure") return yield* Effect.logInfo("No connection:", opened.failure.message)
  yield* opened.success.send('{"jsonrpc":"2.0","id":1,"method":"ping"}')
  return yield* Effect.logInfo("The connection", yield* opened.success.ended)
})

const responseOf = (contentType: string, status: number, pieces: ReadonlyArray<string>): FetchResponse => ({
  status,
  url: `https://mcp.example/sse?session=${session}`,
  headers: { get: (name) => (name.toLowerCase() === "content-type" ? contentType : null) },
  body: bodyOf(pieces)
})

async function* bodyOf(pieces: ReadonlyArray<string>): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield bufferOf(piece)
}
