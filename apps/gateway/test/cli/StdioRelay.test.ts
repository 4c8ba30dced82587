import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ServerResponse } from "node:http"
import { TestLayer } from "../config/configFile.ts"
import { serveRaw } from "../http/RawHttp.ts"
import { startCommand, writeConfig } from "./gatewayProcess.ts"
import { initialize } from "./mcpMessages.ts"

/** An upstream with sessions; what `hangs` names is never answered. */
const serveSessions = Effect.fnUntraced(function* (hangs: ReadonlyArray<string>) {
  const seen: Array<string> = []
  const answer = (message: { readonly id?: unknown; readonly method: string }, response: ServerResponse) => {
    seen.push(message.method)
    if (hangs.includes(message.method)) return
    if (message.id === undefined) return void response.writeHead(202).end()
    const result = {
      protocolVersion: "2025-11-25",
      capabilities: {},
      serverInfo: { name: "s", version: "1" }
    }
    response
      .writeHead(200, { "content-type": "application/json", "mcp-session-id": "s1" })
      .end(JSON.stringify({ jsonrpc: "2.0", id: message.id, result }))
  }
  const { url } = yield* serveRaw((request, response) => {
    let body = ""
    request.on("data", (chunk) => (body += String(chunk)))
    request.on("end", () => {
      if (request.method === "POST") return answer(JSON.parse(body), response)
      seen.push(request.method ?? "")
      if (request.method === "GET") return void response.writeHead(405).end()
      if (!hangs.includes("DELETE")) response.writeHead(200).end()
    })
  })
  return { url, seen }
})

/** What ends the command, and the exit code. */
const ends = [
  ["a closed input", undefined, 0],
  ["SIGTERM", "SIGTERM", 143],
  ["SIGINT", "SIGINT", 130],
  ["SIGHUP", "SIGHUP", 129]
] as const

describe("stdio in front of an HTTP server", () => {
  layer(TestLayer)((it) => {
    for (const hangs of [[], ["tools/call", "DELETE"]])
      it.effect.each(ends)(
        `${hangs.length === 0 ? "ends the session" : "is not held up by a server that answers nothing"} after %s`,
        ([, signal, exitCode]) =>
          Effect.gen(function* () {
            const { seen, url } = yield* serveSessions(hangs)
            const config = yield* writeConfig({ servers: [{ server_name: "s", config: { url } }] })
            const command = yield* startCommand(["stdio", "s", "--config", config], {})
            yield* command.write(`${JSON.stringify(initialize)}\n`)
            yield* command.until("stdout", (text) => (text.includes("\n") ? true : undefined))
            yield* command.write('{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{}}\n')
            if (hangs.length === 0)
              yield* command.until("stdout", (text) => (text.split("\n").length > 2 ? true : undefined))
            const begun = performance.now()
            yield* signal === undefined ? command.closeInput : command.signal(signal)
            const finished = yield* command.finished
            assert.strictEqual(finished.exitCode, exitCode)
            assert.include(seen, "DELETE")
            // Two seconds, and what a busy machine adds.
            assert.isBelow(performance.now() - begun, 30_000)
          })
      )
  })
})
