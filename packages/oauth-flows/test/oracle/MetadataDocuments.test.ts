import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { tokenAnswer } from "../TestGrants.ts"
import { json, text } from "./Answers.ts"
import * as Oracle from "./Oracle.ts"
import { issuer, type MakeResponse } from "./Oracle.ts"
import * as OurFlows from "./OurFlows.ts"
import { accepted, expectedOf, refused, type Row } from "./Verdict.ts"

const complete = {
  issuer,
  token_endpoint: `${issuer}/token`,
  authorization_endpoint: `${issuer}/authorize`
}
const metadata = (fields: Readonly<Record<string, unknown>>, status = 200) =>
  json({ ...complete, ...fields }, status)
const named = accepted({ tokenEndpoint: `${issuer}/token` })

const rows: ReadonlyArray<Row<MakeResponse>> = [
  ["plain metadata", metadata({}), named],
  ["no issuer", metadata({ issuer: undefined }), refused],
  ["another issuer", metadata({ issuer: "https://evil.example.com" }), refused],
  ["the issuer with a slash at the end", metadata({ issuer: `${issuer}/` }), named],
  [
    "the issuer in capitals",
    metadata({ issuer: "HTTPS://AS.EXAMPLE.COM" }),
    { ours: refused, oracle: named, because: "Issuers are compared as text and not as URLs (RFC 8414 §3.3)" }
  ],
  ["the issuer with a path", metadata({ issuer: `${issuer}/tenant` }), refused],
  ["the issuer over http", metadata({ issuer: "http://as.example.com" }), refused],
  [
    "the issuer as a list of one",
    metadata({ issuer: [issuer] }),
    {
      ours: named,
      oracle: refused,
      because: "Some servers write a list of one, and there is still one name to compare"
    }
  ],
  ["the issuer as a number", metadata({ issuer: 1 }), refused],
  ["no token_endpoint", metadata({ token_endpoint: undefined }), refused],
  ["token_endpoint over http", metadata({ token_endpoint: "http://as.example.com/token" }), refused],
  [
    "token_endpoint with a fragment",
    metadata({ token_endpoint: `${issuer}/token#x` }),
    {
      ours: refused,
      oracle: accepted({ tokenEndpoint: "https://as.example.com/token#x" }),
      because: "An endpoint must have no fragment (RFC 6749 §3.2)"
    }
  ],
  [
    "token_endpoint with a user name",
    metadata({ token_endpoint: "https://a:b@as.example.com/token" }),
    {
      ours: refused,
      oracle: accepted({ tokenEndpoint: "https://a:b@as.example.com/token" }),
      because: "A stranger's document must not choose credentials that are sent with the request"
    }
  ],
  ["token_endpoint that is relative", metadata({ token_endpoint: "/token" }), refused],
  ["token_endpoint as a number", metadata({ token_endpoint: 1 }), refused],
  ["token_endpoint with javascript:", metadata({ token_endpoint: "javascript:alert(1)" }), refused],
  [
    "authorization_endpoint over http, which is not needed",
    metadata({ authorization_endpoint: "http://as.example.com/authorize" }),
    named
  ],
  ["a key of the wrong type that is not needed", metadata({ scopes_supported: 1 }), named],
  ["status 404 with metadata", metadata({}, 404), refused],
  [
    "status 201 with metadata",
    metadata({}, 201),
    { ours: named, oracle: refused, because: "Any 2xx counts: the body says whether it is metadata" }
  ],
  ["metadata called text/plain", text(JSON.stringify(complete), "text/plain"), named],
  ["metadata with a byte order mark", text("\uFEFF" + JSON.stringify(complete)), named],
  ["metadata as a list", text(JSON.stringify([complete])), refused],
  ["metadata that is an HTML page", text("<html>", "text/html"), refused],
  [
    "metadata with a redirect to another origin",
    text(null, "text/plain", 302, { location: "https://evil.example.com/" }),
    refused
  ]
]

describe("metadata, as oauth4webapi reads it", () => {
  it.effect.each(rows)(
    "a metadata document is judged as oauth4webapi does, or differs for a reason: %s",
    ([, input, expected]) =>
      Effect.gen(function* () {
        const ours = yield* OurFlows.judgeMetadata(input)
        const oracle = yield* Oracle.judgeMetadata(input, () => tokenAnswer())
        assert.deepStrictEqual({ ours, oracle }, expectedOf(expected))
      })
  )

  // oauth4webapi leaves PKCE to who uses it.
  it.effect.each([
    ["S256 among others", ["plain", "S256"], accepted()],
    ["plain only", ["plain"], refused],
    ["an empty list", [], refused],
    ["no list", undefined, refused]
  ] as const)("a login needs a server that names the PKCE method S256: %s", ([, methods, expected]) =>
    Effect.gen(function* () {
      const ours = yield* OurFlows.judgeLoginMetadata({ code_challenge_methods_supported: methods })
      assert.deepStrictEqual(ours, expected)
    })
  )
})
