import * as Effect from "effect/Effect"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { exchangeRaw, statusesIn } from "../clients/RawSocket.ts"
import { apiKey, serveHonest, startTarget } from "./Target.ts"

const marker = "smuggled-request"

/** Heads and bodies that two readers may read differently, or that nobody can read. */
const shapes = (host: string): Readonly<Record<string, string>> => {
  const head = (...lines: ReadonlyArray<string>) =>
    [
      "POST /servers/target/mcp HTTP/1.1",
      `Host: ${host}`,
      `Authorization: Bearer ${apiKey}`,
      "Content-Type: application/json",
      ...lines,
      "",
      ""
    ].join("\r\n")
  const hidden = `${head("Content-Length: 18")}"${marker}"`
  const zero = `0\r\n\r\n${hidden}`
  return {
    "length and chunks": head(`Content-Length: ${zero.length}`, "Transfer-Encoding: chunked") + zero,
    "chunks and length": head("Transfer-Encoding: chunked", "Content-Length: 5") + zero,
    "two lengths": head("Content-Length: 2", `Content-Length: ${2 + hidden.length}`) + `{}${hidden}`,
    "a list of lengths": head(`Content-Length: 2, ${2 + hidden.length}`) + `{}${hidden}`,
    "a length with a sign": head("Content-Length: +2") + `{}${hidden}`,
    "a length in hex": head("Content-Length: 0x2") + `{}${hidden}`,
    "a negative length": head("Content-Length: -1") + `{}${hidden}`,
    "an endless length": head("Content-Length: 99999999999999999999") + "{}",
    "chunked twice": head("Transfer-Encoding: chunked, chunked") + zero,
    "chunked after identity": head("Transfer-Encoding: identity, chunked") + zero,
    "an unknown coding": head("Transfer-Encoding: xchunked") + zero,
    "a coding behind a tab": head("Transfer-Encoding:\tchunked", "Content-Length: 2") + zero,
    "a space before the colon": head("Transfer-Encoding : chunked", "Content-Length: 2") + zero,
    "a folded header":
      head("X-Folded: a\r\n Transfer-Encoding: chunked", "Content-Length: 2") + `{}${hidden}`,
    "bare line feeds": head("Transfer-Encoding: chunked").replaceAll("\r\n", "\n") + zero,
    "a bare carriage return":
      head("X-Bare: a\rTransfer-Encoding: chunked", "Content-Length: 2") + `{}${hidden}`,
    "a zero byte in a header": head("X-Zero: a\0b", "Content-Length: 2") + "{}",
    "a chunk size that overflows": head("Transfer-Encoding: chunked") + `fffffffffffffffff\r\n{}\r\n${zero}`,
    "a negative chunk size": head("Transfer-Encoding: chunked") + `-1\r\n{}\r\n${zero}`,
    "a chunk without its end": head("Transfer-Encoding: chunked") + `2\r\n{}X${zero}`,
    "a long chunk extension":
      head("Transfer-Encoding: chunked") + `2;${"a".repeat(100_000)}\r\n{}\r\n${zero}`,
    "a trailer that is a length": head("Transfer-Encoding: chunked") + "0\r\nContent-Length: 100\r\n\r\n",
    "two hosts": head(`Host: other.example`, "Content-Length: 2") + "{}",
    "no host": head("Content-Length: 2").replace(`Host: ${host}\r\n`, "") + "{}",
    "another host": head("Content-Length: 2").replace(`Host: ${host}`, "Host: attacker.example") + "{}",
    "an absolute target":
      head("Content-Length: 2").replace("/servers", "http://attacker.example/servers") + "{}",
    CONNECT: `CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${apiKey}\r\n\r\n`,
    TRACE: `TRACE /servers/target/mcp HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${apiKey}\r\n\r\n`,
    "an upgrade": head(
      "Connection: Upgrade",
      "Upgrade: h2c",
      "HTTP2-Settings: AAMAAABkAAQAAP__",
      "Content-Length: 0"
    ),
    "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": "GET /servers/target/mcp\r\n",
    "HTTP/9.9": head("Content-Length: 2").replace("HTTP/1.1", "HTTP/9.9") + "{}",
    "a TLS hello": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    noise: Array.from({ length: 4096 }, (_, index) => String.fromCharCode((index * 7919) % 256)).join(""),
    "an unfinished head": "POST /servers/target/mcp HTTP/1.1\r\nHost: ",
    "a body that is no JSON": head("Content-Length: 5") + "{]}{]",
    "a body that is no UTF-8": `${head("Content-Length: 4")}"\xff\xfe"`
  }
}

/** Shapes that are good HTTP, and may reach the server. */
const mayArrive = new Set([
  "a body that is no JSON",
  "a body that is no UTF-8",
  "a trailer that is a length",
  "an upgrade"
])

export const malformedRequests: Attack = {
  name: "malformed-requests",
  tries:
    "requests that two readers read differently; through: a second request hides in one, one of them reaches the server, or an honest client is not served afterwards",
  run: ({ isShort }) =>
    Effect.gen(function* () {
      const tally = makeTally()
      const target = yield* startTarget()
      const { arrived, gateway, host } = target
      yield* Effect.promise(async () => {
        for (const [name, bytes] of Object.entries(shapes(host))) {
          arrived.length = 0
          const answer = await exchangeRaw(gateway.url, Buffer.from(bytes, "latin1"), isShort ? 150 : 400)
          const statuses = statusesIn(answer)
          const hidden = arrived.some(({ body, head }) => body.includes(marker) || head.url?.includes(marker))
          tally.expect(!hidden, `${name}: the hidden request was served`)
          if (mayArrive.has(name)) tally.expect(arrived.length <= 1, `${name}: it was served twice`)
          else {
            tally.expect(arrived.length === 0, `${name}: it reached the server`)
            tally.expect(
              !statuses.some((status) => status < 400),
              `${name}: answered with ${statuses.join()}`
            )
          }
          tally.expect(!statuses.includes(500), `${name}: answered with 500`)
        }
        tally.expect((await serveHonest(target)).isServed, "an honest client is not served afterwards")
        tally.expect(gateway.isRunning(), "the gateway ended")
      })
      return tally.outcome()
    })
}
