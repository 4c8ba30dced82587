import * as Effect from "effect/Effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { type Attack, makeTally, type Form } from "../attack/Attack.ts"
import { call, ping } from "../clients/McpCall.ts"
import { startGateway } from "../process/GatewayProcess.ts"
import { bodyOf, listen } from "../servers/LoopbackServer.ts"
import { apiKey } from "./Target.ts"

const size = 4_000_000

const message = (params: string) => `{"jsonrpc":"2.0","id":1,"method":"ping","params":${params}}`
const many = (length: number, part: (index: number) => string) =>
  Array.from({ length: size / length }, (_, index) => part(index)).join()
const names = `{${many(14, (index) => `"k${index}":${index % 10}`)}}`

/** Texts of about 4 MB that cost a parser most. */
const documents: Readonly<Record<string, string>> = {
  "nested lists": message("[".repeat(size / 2) + "]".repeat(size / 2)),
  "nested objects": message(`${'{"a":'.repeat(size / 6)}1${"}".repeat(size / 6)}`),
  "lists nested 900 deep": message(`[${many(1801, () => "[".repeat(900) + "]".repeat(900))}]`),
  "many names": message(names),
  "many names of a message": `{${names.slice(1, -1)},"jsonrpc":"2.0","method":"ping","id":1}`,
  "names behind the id": `{"params":${names},"jsonrpc":"2.0","method":"ping","id":1}`,
  "names of escapes": message(`{${many(32, (index) => `"\\u0069\\u0064\\u0078${index}":1`)}}`),
  "equal names": message(`{${many(5, () => '"":1')}}`),
  "many ids": `{${many(7, () => '"id":1')},"jsonrpc":"2.0","method":"ping"}`,
  "many arguments": message(`{"arguments":${names},"inputResponses":{"secure_mcp_gateway_login":1}}`),
  "many messages": `[${many(41, (index) => `{"jsonrpc":"2.0","id":${index % 10},"method":"ping"}`)}]`,
  "many empty messages": `[${many(3, () => "{}")}]`,
  "long messages in a batch": `[${Array.from({ length: 900 }, (_, index) => `{"jsonrpc":"2.0","id":${index},"method":"ping","params":[${"1,".repeat(2000)}1]}`).join()}]`,
  "lists that do not end": "[".repeat(size),
  "many numbers": message(`[${many(2, () => "1")}]`),
  "many long numbers": message(`[${many(8, () => "-1.5e-3")}]`),
  "one long number": `{"jsonrpc":"2.0","method":"ping","id":${"1".repeat(size)}}`,
  "many empty texts": message(`[${many(3, () => '""')}]`),
  "one long text": message(`{"a":"${"\\u0041".repeat(size / 6)}"}`),
  "one text of backslashes": message(`{"a":"${"\\\\".repeat(size / 2)}"}`),
  "one text of quotes": message(`{"a":"${'\\"'.repeat(size / 2)}"}`),
  spaces: message(`${" ".repeat(size)}{}`),
  "line ends": message(`${"\n".repeat(size)}{}`),
  tools: `{"jsonrpc":"2.0","id":1,"result":{"tools":[${many(70, (index) => `{"name":"t${index}","inputSchema":{"properties":{"a${index}":{}}}}`)}]}}`
}

/** Those that stand for all in the short form: of each kind the one that costs most. */
const inShortForm: ReadonlySet<string> = new Set([
  "nested lists",
  "many names of a message",
  "names of escapes",
  "many messages",
  "line ends",
  "tools"
])

/** A document as the answer to a request: with a result in the place of the method. */
const asAnswer = (text: string) =>
  text.replaceAll('"method":"ping","params":', '"result":').replaceAll('"method":"ping"', '"result":{}')

/** Answers that name no request, or that are no JSON. Nobody can tell whom they answer. */
const withoutRequest: ReadonlySet<string> = new Set([
  "lists that do not end",
  "one long number",
  "many messages",
  "many empty messages",
  "long messages in a batch"
])

/** The child gets its answers at a URL: each request is answered with what stands there now. */
const child = (url: string) => `
  require("node:readline").createInterface(process.stdin).on("line", async (line) => {
    if (line.length > 10000) return
    const { id } = JSON.parse(line)
    const answer = await (await fetch(${JSON.stringify(url)})).text()
    // A message of a child is one line.
    process.stdout.write(answer.replaceAll("\\n", " ").replace(/"id":1\\b/g, '"id":' + id) + "\\n")
  })`

const statelessPing = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "ping",
  params: { _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } }
})
const statelessHeaders = { "mcp-protocol-version": "2026-07-28", "mcp-method": "ping" }

/** Milliseconds. On a slow or busy machine the same computation takes longer. */
const longest = ({ isShort }: Form): number => (isShort ? 120 : 50)

export const nestedJson: Attack = {
  name: "nested-json",
  tries:
    "4 MB of nested lists, names, messages, numbers or escapes, as request, as answer in JSON and in an event stream, to and from a child, and where there is no server; through: the event loop computes for more than 50 ms at once (--short: 120), or a request that was answered so gets no answer",
  run: (form) =>
    Effect.gen(function* () {
      const tally = makeTally()
      const current: { answer: string; events: ServerResponse | undefined } = {
        answer: "{}",
        events: undefined
      }
      const answer = ({ url }: IncomingMessage, response: ServerResponse, body: string) => {
        if (url === "/sse") {
          current.events = response.writeHead(200, { "content-type": "text/event-stream" })
          return current.events.write("event: endpoint\ndata: /messages\n\n")
        }
        if (url !== "/messages")
          return response.writeHead(200, { "content-type": "application/json" }).end(current.answer)
        const [, id = "1"] = /"id":(\d+)/.exec(body.slice(0, 1000)) ?? []
        const text = current.answer.replaceAll("\n", " ").replaceAll(/"id":1\b/g, `"id":${id}`)
        current.events?.write(`event: message\ndata: ${text}\n\n`)
        return response.writeHead(202).end()
      }
      const mcp = yield* listen((request, response) => {
        void bodyOf(request).then(
          (body) => answer(request, response, body),
          () => response.destroy()
        )
      })
      const gateway = yield* startGateway({
        gateway: { api_keys: [apiKey] },
        servers: [
          { server_name: "http", config: { url: `${mcp.url}/mcp` } },
          { server_name: "events", config: { url: `${mcp.url}/sse`, transport: "sse" } },
          {
            server_name: "child",
            config: { command: process.execPath, args: ["-e", child(`${mcp.url}/answer`)] }
          }
        ]
      })
      const worst = { computing: 0, stall: 0 }
      const judge = async (what: string, request: () => Promise<unknown>) => {
        await gateway.beginMeasurement()
        await request()
        const { longestComputation, longestStall } = await gateway.figures()
        worst.computing = Math.max(worst.computing, longestComputation)
        worst.stall = Math.max(worst.stall, longestStall)
        tally.expect(longestComputation <= longest(form), `${what}: ${longestComputation.toFixed(0)} ms`)
      }
      const to = (name: string, body: string, headers = {}, timeout = 10_000) =>
        call(`${gateway.url}/servers/${name}/mcp`, { key: apiKey, body, headers, timeout })
      const judgeAnswer = (name: string, text: string, server: string) =>
        judge(`${name} from ${server}`, async () => {
          current.answer = asAnswer(text)
          const isAnswerable = !withoutRequest.has(name)
          const { status } = await to(server, statelessPing, statelessHeaders, isAnswerable ? 10_000 : 2000)
          tally.expect(status !== 0 || !isAnswerable, `${name} from ${server}: the request got no answer`)
        })
      yield* Effect.promise(async () => {
        current.answer = '{"jsonrpc":"2.0","id":1,"result":{}}'
        for (let count = 0; count < 20; count += 1) await to("http", ping)
        // The first long message costs memory that the next ones find there.
        for (const server of ["http", "child"]) await to(server, message(`{"a":"${"x".repeat(size)}"}`))
        for (const server of ["child", "events"]) await to(server, statelessPing, statelessHeaders)
        for (const [name, text] of Object.entries(documents)) {
          if (form.isShort && !inShortForm.has(name)) continue
          current.answer = "{}"
          await judge(`${name} as request`, () => to("http", text))
          await judge(`${name} to an unknown server`, () => to("unknown", text))
          await judge(`${name} to a child`, () => to("child", text, statelessHeaders, 2000))
          await judgeAnswer(name, text, "http")
          await judgeAnswer(name, text, "child")
          await judgeAnswer(name, text, "events")
        }
        tally.expect(gateway.isRunning(), "the gateway ended")
        tally.figure("longest computation", worst.computing, " ms")
        tally.figure("longest stall", worst.stall, " ms")
      })
      return tally.outcome()
    })
}
