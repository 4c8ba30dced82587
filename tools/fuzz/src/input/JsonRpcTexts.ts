import * as fc from "fast-check"
import { objectOf } from "./JsonTexts.ts"
import { hostileText, longestText, sometimesDamaged } from "./Texts.ts"

const ids = fc.oneof(
  fc.integer(),
  fc.constantFrom("1", "", 0, 1.5, -1, 1e21, 2 ** 53, "é\n", null, true, [], {}),
  fc.string({ maxLength: 8 })
)

const methods = fc.constantFrom(
  "initialize",
  "ping",
  "tools/call",
  "tools/list",
  "sampling/createMessage",
  "elicitation/create",
  "roots/list",
  "notifications/initialized",
  "notifications/progress",
  "notifications/cancelled",
  "notifications/message",
  "notifications/tools/list_changed",
  "server/discover",
  ""
)

const params = objectOf({
  _meta: objectOf({
    progressToken: ids,
    "io.modelcontextprotocol/protocolVersion": fc.constant("2026-07-28")
  }),
  requestId: ids,
  progressToken: ids,
  progress: fc.integer(),
  protocolVersion: fc.constantFrom("2025-11-25", "2024-11-05", "x"),
  capabilities: objectOf({ tools: fc.constant({}), sampling: fc.constant({}) }),
  name: fc.string({ maxLength: 8 }),
  arguments: fc.jsonValue({ maxDepth: 2 })
})

const message = objectOf({
  jsonrpc: fc.constant("2.0"),
  id: ids,
  method: methods,
  params,
  result: objectOf({
    content: fc.constant([]),
    protocolVersion: fc.constant("2025-11-25"),
    tools: fc.constant([])
  }),
  error: objectOf({
    code: fc.integer(),
    message: fc.string({ maxLength: 20 }),
    data: fc.jsonValue({ maxDepth: 1 })
  })
})

/** Numbers that JavaScript cannot hold, and what a parser may see as a line end. */
const written = message.map((value) =>
  JSON.stringify(value).replace('"id":0', '"id":9007199254740993.0e0').replace("\\n", "\u2028")
)

const batch = fc.array(written, { maxLength: 5 }).map((texts) => `[${texts.join()}]`)

const long = fc
  .tuple(written, fc.integer({ min: 1, max: longestText - 4096 }))
  .map(([text, length]) => `{"padding":"${"x".repeat(length)}",${text.slice(1)}`)

const noise = fc.constantFrom(
  "",
  " ",
  "server is listening",
  "\u001B[32mready\u001B[0m",
  "\u001B]0;title\u0007",
  "[2026-01-01] {}",
  "\uFEFF",
  "null",
  "[[]]",
  '"text"'
)

/** JSON-RPC messages, batches and what is no message, sometimes damaged; line ends may stand in them. */
export const jsonRpcText = (secrets: ReadonlyArray<string> = []): fc.Arbitrary<string> =>
  sometimesDamaged(
    fc.oneof(
      { weight: 8, arbitrary: written },
      { weight: 2, arbitrary: batch },
      { weight: 1, arbitrary: long },
      { weight: 2, arbitrary: noise }
    ),
    hostileText(secrets)
  )
