import * as Effect from "effect/Effect"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { call } from "../clients/McpCall.ts"
import { exchangeRaw } from "../clients/RawSocket.ts"
import { pause } from "../clients/Traffic.ts"
import { startGateway } from "../process/GatewayProcess.ts"
import { apiKeys, keyOf, machineEntry } from "../servers/Entries.ts"
import { answerJson, listen } from "../servers/LoopbackServer.ts"

/** What a terminal carries out: colours, a moved cursor, a link (OSC 8), a title, the clipboard (OSC 52), C1 controls. */
const escapes: ReadonlyArray<string> = [
  "\u001B[2J\u001B[31mred",
  "\u001B[1A\u001B[2Kforged line",
  "\u001B]8;;http://attacker.example\u0007click\u001B]8;;\u0007",
  "\u001B]0;title\u0007",
  "\u001B]52;c;Y2xpcA==\u0007",
  "\u009B31mred",
  "\u009D8;;http://attacker.example\u009C",
  "\u0090q\u009C",
  "back\b\b\b\bspace",
  "return\rforged",
  "bell\u0007",
  "line\n[12:00:00.000] INFO (#1): forged",
  "\u2028\u2029line",
  "\u202Eright to left"
]

// Of the gateway's own output only the line feed is a control character.
// eslint-disable-next-line no-control-regex
const control = /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u2028\u2029\u202A-\u202E\u2066-\u2069]/

export const terminalEscapes: Attack = {
  name: "terminal-escapes",
  tries: `${escapes.length} control sequences in error descriptions, error codes, challenges, a child's output and server names of a URL; through: one stands in the gateway's output as it was sent`,
  run: () =>
    Effect.gen(function* () {
      const tally = makeTally()
      const current = { escape: "" }
      const site = yield* listen((request, response) => {
        request.resume()
        if (request.url === "/token")
          return answerJson(response, 400, {
            error: `invalid_grant${current.escape}`,
            error_description: `why ${current.escape}`,
            error_uri: `http://x/${current.escape}`
          })
        return answerJson(response, 401, {}, { "www-authenticate": "Bearer" })
      })
      const child = `process.stderr.write(${JSON.stringify(`said ${escapes.join(" and ")}\n`)}); process.stdin.resume()`
      const gateway = yield* startGateway(
        {
          gateway: { api_keys: apiKeys(["alice"]) },
          servers: [
            machineEntry("target", `${site.url}/mcp`, `${site.url}/token`),
            {
              server_name: "child",
              config: { command: process.execPath, args: ["-e", child], start_timeout_seconds: 2 }
            }
          ]
        },
        "--log-format",
        "pretty",
        "--log-level",
        "trace"
      )
      const { host } = new URL(gateway.url)
      yield* Effect.promise(async () => {
        const judge = async (what: string, request: () => Promise<unknown>) => {
          const before = gateway.output().length
          await request()
          await pause(30)
          const output = gateway.output().slice(before)
          const found = control.exec(output)
          const shown = JSON.stringify(output.slice((found?.index ?? 0) - 30, (found?.index ?? 0) + 30))
          tally.expect(found === null, `${what}: ${shown}`)
          tally.expect(!/^\[12:00:00\.000\] INFO/m.test(output), `${what}: a forged line`)
        }
        for (const escape of escapes) {
          current.escape = escape
          const name = JSON.stringify(escape)
          await judge(`error of a token endpoint ${name}`, () =>
            call(`${gateway.url}/servers/target/mcp`, { key: keyOf("alice") })
          )
          await judge(`name in a URL ${name}`, () =>
            exchangeRaw(
              gateway.url,
              `POST /servers/${encodeURIComponent(escape)}/mcp HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${keyOf("alice")}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
              1000
            )
          )
        }
        await judge("error output of a child", () =>
          call(`${gateway.url}/servers/child/mcp`, { key: keyOf("alice"), timeout: 1500 })
        )
      })
      return tally.outcome()
    })
}
