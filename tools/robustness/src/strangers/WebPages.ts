import * as Effect from "effect/Effect"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { call } from "../clients/McpCall.ts"
import { apiKey, startTarget } from "./Target.ts"

const pages: ReadonlyArray<Readonly<Record<string, string>>> = [
  { host: "attacker.example" },
  { host: "attacker.example:80", origin: "http://attacker.example:80" },
  { host: "127.0.0.1.attacker.example" },
  { host: "localhost.attacker.example" },
  { origin: "https://attacker.example" },
  { origin: "http://127.0.0.1.attacker.example" },
  { origin: "http://localhost@attacker.example" },
  { origin: "null" },
  { origin: "file://" },
  { origin: "chrome-extension://abcdef" },
  { origin: "https://attacker.example, http://localhost" },
  { "sec-fetch-site": "cross-site" }
]

export const webPages: Attack = {
  name: "web-pages",
  tries:
    "pages of other sites, also by DNS rebinding; through: the server gets a request, or the answer is readable",
  run: () =>
    Effect.gen(function* () {
      const tally = makeTally()
      const { arrived, url } = yield* startTarget()
      yield* Effect.promise(async () => {
        for (const headers of pages)
          for (const method of ["POST", "GET", "DELETE", "OPTIONS"]) {
            const answer = await call(url, { key: apiKey, headers, method, timeout: 5000 })
            const shown = `${method} ${JSON.stringify(headers)}`
            tally.expect(answer.status === 403, `${shown}: answered with ${answer.status}`)
            tally.expect(answer.headers["access-control-allow-origin"] === undefined, `${shown}: may be read`)
          }
        tally.expect(arrived.length === 0, "the server got a request of a page")
      })
      return tally.outcome()
    })
}
