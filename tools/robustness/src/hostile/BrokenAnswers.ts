import * as Effect from "effect/Effect"
import { createServer, type Socket } from "node:net"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { exchangeRaw, statusesIn } from "../clients/RawSocket.ts"
import { startGateway } from "../process/GatewayProcess.ts"
import { apiKeys, keyOf } from "../servers/Entries.ts"

const head = (...lines: ReadonlyArray<string>) => ["HTTP/1.1 200 OK", ...lines, "", ""].join("\r\n")
const forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Forged: 1\r\n\r\nforged"

/** Answers of an MCP server that nobody can read, or that try to pass for two. */
const answers: Readonly<Record<string, string>> = {
  nothing: "",
  noise: "\u0000\u0001\u0002\u0003 noise\r\n\r\n",
  "a status without a number": "HTTP/1.1 OK\r\n\r\n",
  "status 99": "HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n",
  "status 1000": "HTTP/1.1 1000 Odd\r\nContent-Length: 0\r\n\r\n",
  "two answers": `${head("Content-Length: 2")}{}${forged}`,
  "a length and chunks": `${head("Content-Length: 2", "Transfer-Encoding: chunked")}0\r\n\r\n${forged}`,
  "two lengths": `${head("Content-Length: 2", "Content-Length: 50")}{}${forged}`,
  "too short": `${head("Content-Length: 100")}{}`,
  "a broken chunk": `${head("Transfer-Encoding: chunked")}zz\r\n{}\r\n0\r\n\r\n`,
  "a header with a line end": `${head("X-A: a\rX-Forged: 1", "Content-Length: 2")}{}`,
  "a header with a zero": `${head("X-A: a\u0000b", "Content-Length: 2")}{}`,
  "101 without an upgrade": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
  "interim answers": `${"HTTP/1.1 103 Early Hints\r\nLink: <http://x>\r\n\r\n".repeat(50)}${head("Content-Length: 2")}{}`,
  "a false compression": `${head("Content-Encoding: gzip", "Content-Length: 2")}{}`,
  "headers of 100 KB": `${head(`X-Long: ${"a".repeat(100_000)}`, "Content-Length: 2")}{}`,
  "headers for browsers": `${head("Set-Cookie: a=b", 'Alt-Svc: h3=":443"', 'Clear-Site-Data: "*"', "Access-Control-Allow-Origin: *", "Location: http://internal.example/", "Content-Length: 2")}{}`
}

/** Headers that no client may get. */
const forbidden = /^(?:x-forged|alt-svc|clear-site-data|location|access-control-allow-origin|link):/im

export const brokenAnswers: Attack = {
  name: "broken-answers",
  tries: `${Object.keys(answers).length} answers of an MCP server that are no good HTTP; through: a client gets two answers, a header that is not for it, or the next request is not served`,
  run: () =>
    Effect.gen(function* () {
      const tally = makeTally()
      const current = { answer: "" }
      const port = yield* Effect.acquireRelease(
        Effect.callback<{ readonly number: number; readonly close: () => void }>((resume) => {
          const sockets = new Set<Socket>()
          const server = createServer((socket) => {
            sockets.add(socket)
            socket.on("error", () => {})
            socket.once("data", () => socket.end(Buffer.from(current.answer, "latin1")))
          })
          server.listen(0, "127.0.0.1", () => {
            const address = server.address()
            const number = typeof address === "object" && address !== null ? address.port : 0
            const close = () => {
              for (const socket of sockets) socket.destroy()
              server.close()
            }
            resume(Effect.succeed({ number, close }))
          })
        }),
        ({ close }) => Effect.sync(close)
      )
      const gateway = yield* startGateway({
        gateway: { api_keys: apiKeys(["alice"]) },
        servers: [{ server_name: "broken", config: { url: `http://127.0.0.1:${port.number}/mcp` } }]
      })
      const { host } = new URL(gateway.url)
      const ask = () =>
        exchangeRaw(
          gateway.url,
          `POST /servers/broken/mcp HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${keyOf("alice")}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
          5000
        )
      yield* Effect.promise(async () => {
        for (const [name, answer] of Object.entries(answers)) {
          current.answer = answer
          const got = await ask()
          const statuses = statusesIn(got)
          // An answer that breaks off at the server breaks off at the client, perhaps before its head was sent.
          tally.expect(statuses.length <= 1, `${name}: the client got ${statuses.length} answers`)
          tally.expect(!statuses.includes(500), `${name}: answered with 500`)
          tally.expect(
            !forbidden.test(got.split("\r\n\r\n")[0] ?? ""),
            `${name}: a header that is not for the client`
          )
          current.answer = `${head("Content-Length: 2")}{}`
          tally.expect(statusesIn(await ask())[0] === 200, `${name}: the next request is not served`)
        }
      })
      return tally.outcome()
    })
}
