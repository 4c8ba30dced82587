import * as Effect from "effect/Effect"
import { type Attack, makeTally, type Form } from "../attack/Attack.ts"
import { call, ping } from "../clients/McpCall.ts"
import { startGateway } from "../process/GatewayProcess.ts"
import { answerJson, bodyOf, listen } from "../servers/LoopbackServer.ts"
import { apiKey } from "./Target.ts"

const size = 4_000_000

/** Texts of about 4 MB that cost a parser most. */
const documents: Readonly<Record<string, string>> = {
  "nested lists": `{"jsonrpc":"2.0","id":1,"method":"ping","params":${"[".repeat(size / 2)}${"]".repeat(size / 2)}}`,
  "nested objects": `{"jsonrpc":"2.0","id":1,"method":"ping","params":${'{"a":'.repeat(size / 6)}1${"}".repeat(size / 6)}}`,
  "many names": `{"jsonrpc":"2.0","id":1,"method":"ping","params":{${Array.from({ length: size / 14 }, (_, index) => `"k${index}":${index % 10}`).join()}}}`,
  "many messages": `[${Array.from({ length: size / 41 }, (_, index) => `{"jsonrpc":"2.0","id":${index % 10},"method":"ping"}`).join()}]`,
  "lists that do not end": "[".repeat(size),
  "one long text": `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"${"\\u0041".repeat(size / 6)}"}}`,
  "names behind the id": `{"params":{${Array.from({ length: size / 14 }, (_, index) => `"k${index}":${index % 10}`).join()}},"jsonrpc":"2.0","method":"ping","id":1}`
}

/** Milliseconds. On a slow or busy machine the same computation takes longer. */
const longest = ({ isShort }: Form): number => (isShort ? 120 : 50)

export const nestedJson: Attack = {
  name: "nested-json",
  tries:
    "4 MB of nested lists, names or messages, as request and as answer, also where the server is a child, where it refuses the token, and where there is no server; through: the event loop computes for more than 50 ms at once (--short: 120)",
  open: "a long message is read at once, and not in slices between which the event loop turns",
  run: (form) =>
    Effect.gen(function* () {
      const tally = makeTally()
      const current = { answer: "{}", status: 200 }
      const mcp = yield* listen((request, response) => {
        void bodyOf(request).then(
          () =>
            current.status === 200
              ? response.writeHead(200, { "content-type": "application/json" }).end(current.answer)
              : answerJson(response, current.status, {}),
          () => response.destroy()
        )
      })
      const gateway = yield* startGateway({
        gateway: { api_keys: [apiKey] },
        servers: [
          { server_name: "http", config: { url: `${mcp.url}/mcp` } },
          {
            server_name: "child",
            config: {
              command: process.execPath,
              args: ["-e", "process.stdin.resume()"],
              start_timeout_seconds: 2
            }
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
      const to = (name: string, body: string, timeout = 10_000) =>
        call(`${gateway.url}/servers/${name}/mcp`, { key: apiKey, body, timeout })
      yield* Effect.promise(async () => {
        for (let count = 0; count < 20; count += 1) await to("http", ping)
        await to("child", ping, 1000)
        for (const [name, text] of Object.entries(documents)) {
          await judge(`${name} as request`, () => to("http", text))
          await judge(`${name} to an unknown server`, () => to("unknown", text))
          await judge(`${name} to a child`, () => to("child", text, form.isShort ? 700 : 1500))
          current.answer = text
          await judge(`${name} as answer`, () => to("http", ping))
          current.answer = "{}"
        }
        tally.expect(gateway.isRunning(), "the gateway ended")
        tally.figure("longest computation", worst.computing, " ms")
        tally.figure("longest stall", worst.stall, " ms")
      })
      return tally.outcome()
    })
}
