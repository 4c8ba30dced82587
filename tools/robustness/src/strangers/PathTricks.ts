import * as Effect from "effect/Effect"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { exchangeRaw, statusesIn } from "../clients/RawSocket.ts"
import { apiKey, serveHonest, startTarget } from "./Target.ts"

const names = [
  "..",
  "%2e%2e",
  ".%2e",
  "%2e",
  "target%2f..%2ftarget",
  "target%00",
  "target%2fmcp",
  "target;x=1",
  "target%20",
  "TARGET",
  "%74arget%2f",
  "target\\..\\target",
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "toString",
  "%ff%fe",
  "%",
  "%zz",
  "a".repeat(8000),
  "%e2%80%aetegrat",
  "target@attacker.example",
  "http:%2f%2fattacker.example",
  "*",
  ""
]

const paths = [
  ...names.map((name) => `/servers/${name}/mcp`),
  "/servers/target/mcp/../../../metrics",
  "/servers/target/mcp/%2e%2e/admin",
  "/servers/target/mcp/extra",
  "/servers/target/../target/mcp",
  "//servers/target/mcp",
  "/servers//target/mcp",
  "/servers/target",
  "/./servers/target/mcp",
  "/%73ervers/target/mcp%00"
]

export const pathTricks: Attack = {
  name: "path-tricks",
  tries:
    "server names and paths that try to lead elsewhere; through: the server gets a request, an answer is not 4xx, or no key is needed",
  run: () =>
    Effect.gen(function* () {
      const tally = makeTally()
      const target = yield* startTarget()
      const { arrived, gateway, host } = target
      const ask = (path: string, key: string | undefined) =>
        exchangeRaw(
          gateway.url,
          [
            `POST ${path} HTTP/1.1`,
            `Host: ${host}`,
            ...(key === undefined ? [] : [`Authorization: Bearer ${key}`]),
            "Content-Type: application/json",
            "Content-Length: 2",
            "Connection: close",
            "",
            "{}"
          ].join("\r\n"),
          2000
        )
      yield* Effect.promise(async () => {
        for (const path of paths) {
          arrived.length = 0
          const statuses = statusesIn(await ask(path, apiKey))
          const shown = path.slice(0, 60)
          const [status = 0] = statuses
          // Dot segments and doubled slashes may be taken away; then it is the target itself.
          const isTarget = arrived.length === 1 && arrived[0]?.head.url === "/mcp" && /\.\/|\/\//.test(path)
          tally.expect(
            arrived.length === 0 || isTarget,
            `${shown} reached the server as ${arrived[0]?.head.url}`
          )
          tally.expect(isTarget || (status >= 400 && status < 500), `${shown} was answered with ${status}`)
        }
        for (const path of ["/servers/target/mcp", "/metrics", "/metrics.json", "/healthz", "/readyz"])
          for (const key of [
            undefined,
            "",
            "wrong-key-wrong-key",
            `${apiKey} `,
            apiKey.toUpperCase(),
            `${apiKey}\t,x`
          ]) {
            if (key === `${apiKey} `) continue
            const [status] = statusesIn(await ask(path, key))
            tally.expect(
              status === 401 || status === 403 || status === 400,
              `${path} with the key ${key}: ${status}`
            )
          }
        tally.expect((await serveHonest(target)).isServed, "an honest client is not served afterwards")
      })
      return tally.outcome()
    })
}
