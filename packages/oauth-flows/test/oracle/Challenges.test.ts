import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Oracle from "./Oracle.ts"
import * as OurFlows from "./OurFlows.ts"
import { accepted, expectedOf, refused, type Row } from "./Verdict.ts"

const rows: ReadonlyArray<Row<string>> = [
  [
    "a plain challenge",
    'Bearer error="invalid_token", scope="a b"',
    accepted({ error: "invalid_token", scope: "a b" })
  ],
  ["a scheme in small letters", 'bearer error="invalid_token"', accepted({ error: "invalid_token" })],
  ["a scheme alone", "Bearer", accepted()],
  [
    "values without quotes",
    "Bearer error=invalid_token, scope=a",
    accepted({ error: "invalid_token", scope: "a" })
  ],
  [
    "another scheme before it",
    'Basic realm="x", Bearer error="invalid_token"',
    accepted({ error: "invalid_token" })
  ],
  [
    "another scheme with a token68 before it",
    'Negotiate abc==, Bearer error="invalid_token"',
    accepted({ error: "invalid_token" })
  ],
  ["another scheme only", 'DPoP error="invalid_token"', refused],
  [
    "a quoted quotation mark",
    'Bearer realm="a\\"b", error="invalid_token"',
    accepted({ error: "invalid_token" })
  ],
  ["a challenge inside a quoted text", 'Basic realm="x, Bearer error=invalid_token"', refused],
  [
    "a parameter twice",
    'Bearer error="a", error="b"',
    {
      ours: accepted({ error: "a" }),
      oracle: accepted({ error: "b" }),
      because: "The first counts: it cannot be changed by what is added behind it"
    }
  ],
  ["spaces around the equals sign", 'Bearer error = "invalid_token"', accepted({ error: "invalid_token" })],
  [
    "a text that does not end",
    'Bearer error="invalid_token',
    {
      ours: accepted(),
      oracle: refused,
      because: "What came before it counts: that there is a Bearer challenge"
    }
  ],
  ["a comma too many", 'Bearer , error="invalid_token",', accepted({ error: "invalid_token" })],
  ["names in capitals", 'Bearer ERROR="invalid_token"', accepted({ error: "invalid_token" })],
  [
    "resource_metadata",
    'Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource"',
    accepted({ resourceMetadata: "https://mcp.example.com/.well-known/oauth-protected-resource" })
  ],
  [
    "two different resource_metadata",
    'Bearer resource_metadata="https://a.example.com", resource_metadata="https://b.example.com"',
    {
      ours: accepted(),
      oracle: accepted({ resourceMetadata: "https://b.example.com" }),
      because: "Neither can be trusted more than the well-known place"
    }
  ],
  ["two Bearer challenges", 'Bearer error="a", Bearer error="b"', accepted({ error: "a" })],
  ["no comma between parameters", 'Bearer error="a" scope="b"', accepted({ error: "a", scope: "b" })],
  ["an empty header", "", refused],
  ["text that is no challenge", '="x"', refused]
]

describe("challenges, as oauth4webapi reads them", () => {
  it.effect.each(rows)(
    "a challenge is read as oauth4webapi does, or differs for a reason: %s",
    ([, input, expected]) =>
      Effect.gen(function* () {
        const ours = OurFlows.judgeChallenge(input)
        const oracle = yield* Oracle.judgeChallenge(input)
        assert.deepStrictEqual({ ours, oracle }, expectedOf(expected))
      })
  )
})
