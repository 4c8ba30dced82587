import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import { makeSecretCutter, makeSecretMask } from "../../src/mask/SecretMask.ts"

const cutterOf = (...secrets: ReadonlyArray<string>) =>
  makeSecretCutter(
    secrets.map((secret) => Redacted.make(secret)),
    "<redacted>"
  )

describe("makeSecretMask", () => {
  it("takes out the longer of two secrets that overlap, and every encoding", () => {
    const mask = makeSecretMask([Redacted.make("abcd"), Redacted.make("abcd/efgh é")])
    assert.strictEqual(
      mask("(abcd/efgh é) (abcd%2fefgh+%C3%A9) (abcd%2Fefgh%20%C3%A9)"),
      "([secret]) ([secret]) ([secret])"
    )
    assert.strictEqual(mask(`(${btoa("abcd")}) (ABCD)`), "([secret]) ([secret])")
  })

  it("finds a secret that has unprintable characters between its own", () => {
    assert.strictEqual(makeSecretMask([Redacted.make("abcd-efgh")])("ab\u200bcd-\u0007efgh"), "[secret]")
  })

  it("changes no text without a secret, and ignores values too short to be told from words", () => {
    assert.strictEqual(makeSecretMask([])("a b"), "a b")
    assert.strictEqual(makeSecretMask([Redacted.make("a"), Redacted.make("")])("a b"), "a b")
  })
})

describe("makeSecretMask of a secret that is repeated in part", () => {
  const key = "sk_live_51Nq8FzExample0Key4fG7"
  const mask = makeSecretMask([Redacted.make(key)])

  it.each([
    ["Invalid API Key provided: sk_live_****4fG7", "Invalid API Key provided: [secret]"],
    ["Key SK_LIVE_51nq8... is wrong", "Key [secret] is wrong"],
    ["key=sk_xxxxxxxxfG7.", "key=[secret]."],
    ["ending in ****4fG7", "ending in [secret]"],
    ["sk_######", "[secret]"],
    ["sk_live_••••4fG7 or …4fG7", "[secret] or [secret]"],
    ["begins with 51Nq8FzEx", "begins with [secret]"],
    ["has 0KEY4FG7 at its end", "has [secret] at its end"],
    ["51Nq8FzE, Example0", "[secret], [secret]"],
    ["sk_...G7 and sk_****xx", "[secret] and [secret]xx"],
    [`${key}****${key}`, "[secret]"],
    ["****y4fG", "****y4fG"]
  ])("%s", (text, expected) => {
    assert.strictEqual(mask(text), expected)
  })

  it.each(["Wait... and log in", "see **bold** text", "live_51 is short", "****", "size xxxxxl"])(
    "leaves what only looks like it: %s",
    (text) => {
      assert.strictEqual(mask(text), text)
    }
  )

  it("takes out every run of eight characters, wherever it was cut", () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9_-]{8,60}$/)
    fc.assert(
      fc.property(secret, fc.nat(52), fc.integer({ min: 8, max: 60 }), (value, start, length) => {
        const part = value.slice(start, start + length)
        fc.pre(part.length >= 8)
        assert.strictEqual(makeSecretMask([Redacted.make(value)])(`(${part})`), "([secret])")
      })
    )
  })

  it("takes time in proportion to a text of a megabyte and a secret of a tenth of that", () => {
    const long = makeSecretMask([Redacted.make("s3cret-".repeat(15_000)), Redacted.make("a".repeat(1000))])
    const masked = long(`${"a".repeat(500_000)}${"sk_****".repeat(70_000)}${"s3cret-".repeat(100)}`)
    assert.isFalse(masked.includes("s3cret"))
    assert.isFalse(masked.includes("aaaaaaaa"))
  })
})

describe("makeSecretCutter", () => {
  it.each(["abcdef", "the-secret-of-a-client", "sixteen bytes ok", "\u00fcber-geheim?~"])(
    "takes out base64 that was printed in lower or upper case, at any offset: %s",
    (secret) => {
      const cut = cutterOf(secret)
      for (const before of ["", "1", "12", "123"])
        for (const encoding of ["base64", "base64url"] as const) {
          const encoded = Buffer.from(`${before}${secret}${before}`).toString(encoding)
          for (const shown of [encoded.toLowerCase(), encoded.toUpperCase()]) {
            const left = cut(shown).replace("<redacted>", "")
            assert.include(cut(shown), "<redacted>", shown)
            assert.isAtMost(left.length, 3 * Math.ceil((8 * before.length) / 6) + 3, shown)
          }
        }
    }
  )

  it("leaves words that only share a few letters with the base64 of a short secret", () => {
    const secret = "abc4"
    const [word] = [Buffer.from(secret).toString("base64").slice(0, 5)]
    assert.strictEqual(cutterOf(secret)(word), word)
  })

  it("replaces two secrets that overlap without leaving the end of the second", () => {
    assert.strictEqual(cutterOf("abcdWXYZ", "WXYZefgh")("(abcdWXYZefgh)"), "(<redacted>)")
  })

  it("replaces secrets that follow each other one by one", () => {
    assert.strictEqual(cutterOf("abcd")("abcdabcd abcd"), "<redacted><redacted> <redacted>")
  })

  it("replaces the credentials of an Authorization header and each line of a key", () => {
    assert.strictEqual(cutterOf("Bearer tok-en")("got tok-en"), "got <redacted>")
    assert.strictEqual(
      cutterOf("first line\nsecond line")("second line, then first line"),
      "<redacted>, then <redacted>"
    )
  })

  it("replaces a secret wherever it stands, in whatever case, and leaves the rest", () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9_-]{8,40}$/)
    const around = fc.stringMatching(/^[ .]{0,10}$/)
    fc.assert(
      fc.property(secret, around, around, (value, before, after) => {
        const cut = cutterOf(value)
        assert.strictEqual(cut(`${before}${value}${after}`), `${before}<redacted>${after}`)
        assert.strictEqual(cut(`${before}${value.toUpperCase()}${after}`), `${before}<redacted>${after}`)
      })
    )
  })

  it("takes time in proportion to a text of a megabyte and a secret of a tenth of that", () => {
    const secret = "s3cret-".repeat(15_000)
    const cut = cutterOf(secret, "a".repeat(1000))
    const text = `${"a".repeat(1_000_000)}${secret}`
    const result = cut(text)
    assert.isFalse(result.includes("s3cret"))
    assert.isFalse(result.includes("aaaa"))
  })
})
