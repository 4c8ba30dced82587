import * as Effect from "effect/Effect"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { exchangeRaw } from "../clients/RawSocket.ts"
import { apiKey, startTarget } from "./Target.ts"

/** Headers by which a client tries to change what the server gets. */
const lines: ReadonlyArray<ReadonlyArray<string>> = [
  ["Connection: authorization, content-type", "X-Own: 1"],
  ["Connection: close, via, host"],
  ["Proxy-Authorization: Basic dXNlcjpwYXNz"],
  ["X-Api-Key: 1", "Connection: keep-alive, x-api-key"],
  ["Keep-Alive: timeout=1000"],
  ["TE: trailers, deflate"],
  ["Trailer: Authorization"],
  ["Expect: 100-continue"],
  ["Upgrade: websocket", "Connection: upgrade"],
  ["X-Tab: a\tb"],
  ["X-Latin: \xe9\xff"],
  ["Mcp-Session-Id: a\xffb"],
  ["Authorization : Bearer stolen"],
  ["AUTHORIZATION: Bearer stolen"]
]

export const forwardedHeaders: Attack = {
  name: "header-injection",
  tries:
    "headers that try to replace the token or carry the API key along; through: the server gets another Authorization, the key, or a header of one connection",
  run: ({ isShort }) =>
    Effect.gen(function* () {
      const tally = makeTally()
      const { arrived, gateway, host } = yield* startTarget()
      yield* Effect.promise(async () => {
        for (const extra of lines) {
          arrived.length = 0
          const message = [
            "POST /servers/target/mcp HTTP/1.1",
            `Host: ${host}`,
            `Authorization: Bearer ${apiKey}`,
            "Content-Type: application/json",
            "Content-Length: 2",
            ...extra,
            "",
            "{}"
          ].join("\r\n")
          await exchangeRaw(gateway.url, Buffer.from(message, "latin1"), isShort ? 200 : 500)
          tally.expect(arrived.length <= 1, `${extra[0]}: served ${arrived.length} times`)
          for (const { head } of arrived) {
            const raw = head.rawHeaders.join("\n")
            tally.expect(!raw.includes(apiKey), `${extra[0]}: the server got the API key`)
            tally.expect(
              /^Bearer access-\d+$/.test(head.headers.authorization ?? ""),
              `${extra[0]}: the server got Authorization: ${head.headers.authorization}`
            )
            for (const name of [
              "keep-alive",
              "te",
              "trailer",
              "upgrade",
              "proxy-authorization",
              "x-api-key",
              "x-own"
            ])
              tally.expect(
                head.headers[name] === undefined || (name === "x-own" && !extra[0]?.includes("x-own")),
                `${extra[0]}: the server got ${name}`
              )
          }
        }
      })
      return tally.outcome()
    })
}
