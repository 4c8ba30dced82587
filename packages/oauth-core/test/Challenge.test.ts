import { assert, describe, it } from "@effect/vitest"
import { type Challenge, parseChallenge } from "@secure-mcp/oauth-core"
import * as fc from "fast-check"

const metadata = "https://mcp.example/.well-known/oauth-protected-resource/mcp"

const read: ReadonlyArray<readonly [header: string | ReadonlyArray<string>, challenge: Challenge]> = [
  ["Bearer", {}],
  ["bearer", {}],
  [`Bearer resource_metadata="${metadata}"`, { resourceMetadata: metadata }],
  [`Bearer resource_metadata=${metadata}`, { resourceMetadata: metadata }],
  ['BEARER Error="insufficient_scope", SCOPE="a b"', { error: "insufficient_scope", scope: "a b" }],
  ["Bearer error = invalid_token ,scope= a", { error: "invalid_token", scope: "a" }],
  ['Bearer realm="a, Basic realm=b", scope="c"', { scope: "c" }],
  ['Bearer scope="quoted \\"b\\" \\\\"', { scope: 'quoted "b" \\' }],
  ['Basic realm="x", Bearer scope="a"', { scope: "a" }],
  ['Negotiate YWJj==, Bearer scope="a"', { scope: "a" }],
  ['Bearer scope="a", Basic scope="b", realm="x"', { scope: "a" }],
  ['Bearer scope="a", DPoP algs="ES256", scope="b"', { scope: "a" }],
  ['Bearer scope="a", scope="b"', { scope: "a" }],
  [['Basic realm="x"', 'Bearer error="invalid_token"'], { error: "invalid_token" }],
  ['Bearer scope="a", error="unfinished', { scope: "a" }],
  [',, Bearer scope="a"', { scope: "a" }],
  [
    `Bearer resource_metadata=${metadata}?v=1&w=a=b, scope=a`,
    { resourceMetadata: `${metadata}?v=1&w=a=b`, scope: "a" }
  ],
  [`Bearer resource_metadata="${metadata}", resource_metadata="${metadata}"`, { resourceMetadata: metadata }],
  [`Bearer resource_metadata="${metadata}", resource_metadata="https://evil.example"`, {}],
  [[`Bearer resource_metadata="${metadata}"`, 'Bearer resource_metadata="https://evil.example"'], {}],
  [
    `DPoP algs="ES256 RS256", Bearer scope="a", resource_metadata="${metadata}"`,
    { resourceMetadata: metadata, scope: "a" }
  ],
  [
    `Bearer error="invalid_token", resource_metadata="${metadata}", DPoP algs="ES256", resource_metadata="https://dpop.example"`,
    { error: "invalid_token", resourceMetadata: metadata }
  ],
  [[`DPoP error="use_dpop_nonce", algs="ES256"`, `Bearer scope="a"`], { scope: "a" }]
]

const none = [
  undefined,
  [],
  "",
  "Basic",
  'Basic realm="Bearer scope=a"',
  "Bearers scope=a",
  'DPoP error="x"',
  "="
]

const defined = (challenge: Challenge | undefined) =>
  Object.fromEntries(Object.entries(challenge ?? {}).filter(([, value]) => value !== undefined))

describe("parseChallenge", () => {
  it.each(read)("%j is parsed as the challenge %j", (header, challenge) => {
    const parsed = parseChallenge(header)
    assert(parsed !== undefined)
    assert.deepStrictEqual(defined(parsed), challenge)
  })

  it.each(none.map((header) => [header] as const))("%j has no challenge", (header) => {
    assert.isUndefined(parseChallenge(header))
  })

  it("any quoted value is parsed back unchanged", () => {
    const text = fc.string({ unit: fc.constantFrom("a", " ", ",", '"', "\\", "=", "Bearer "), maxLength: 20 })
    fc.assert(
      fc.property(text, text, (scope, error) => {
        const quote = (value: string) => `"${value.replaceAll(/["\\]/g, "\\$&")}"`
        const header = `Basic realm=${quote(error)}, Bearer scope=${quote(scope)}, error=${quote(error)}`
        assert.deepStrictEqual(defined(parseChallenge(header)), { scope, error })
      })
    )
  })

  it("a long meaningless text is parsed in linear time", () => {
    for (const piece of ["a", " ", ",", '"', "a=", "Bearer ", "\\", "a "]) {
      const started = performance.now()
      parseChallenge(piece.repeat(100_000))
      assert.isBelow(performance.now() - started, 5000)
    }
  })
})
