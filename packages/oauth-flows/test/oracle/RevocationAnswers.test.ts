import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { noContent, text } from "./Answers.ts"
import * as Oracle from "./Oracle.ts"
import type { MakeResponse } from "./Oracle.ts"
import * as OurFlows from "./OurFlows.ts"
import { accepted, expectedOf, refused, type Row } from "./Verdict.ts"

const rows: ReadonlyArray<Row<MakeResponse>> = [
  ["status 200 without a body", text(null), accepted()],
  ["status 200 with an HTML page", text("<html>", "text/html"), accepted()],
  ["status 200 with an error", text('{"error":"invalid_token"}'), accepted()],
  [
    "status 204",
    noContent,
    {
      ours: accepted(),
      oracle: refused,
      because: "Any 2xx says that the token is revoked; real servers answer 204"
    }
  ],
  [
    "status 202",
    text(null, "text/plain", 202),
    {
      ours: accepted(),
      oracle: refused,
      because: "Any 2xx counts: what the server does later cannot be asked"
    }
  ],
  ["status 302", text(null, "text/plain", 302, { location: "https://evil.example.com" }), refused],
  [
    "status 400 with unsupported_token_type",
    text('{"error":"unsupported_token_type"}', "application/json", 400),
    refused
  ],
  ["status 401", text(null, "text/plain", 401), refused],
  ["status 500", text(null, "text/plain", 500), refused]
]

describe("revocation answers, as oauth4webapi reads them", () => {
  it.effect.each(rows)(
    "a revocation answer is judged as oauth4webapi does, or differs for a reason: %s",
    ([, input, expected]) =>
      Effect.gen(function* () {
        const ours = yield* OurFlows.judgeRevocation(input)
        const oracle = yield* Oracle.judgeRevocation(input)
        assert.deepStrictEqual({ ours, oracle }, expectedOf(expected))
      })
  )
})
