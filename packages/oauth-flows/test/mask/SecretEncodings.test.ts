import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import { makeSecretCutter, makeSecretMask } from "../../src/mask/SecretMask.ts"
import { encodings } from "./EncodedSecrets.ts"

/** Nothing is left but zeros beside the secret, and what escapes a character beside it. */
const justTheSecret = /^\([A0\\]{0,6}<redacted>[A=0\\]{0,6}\)$/

const cut = (secret: string, text: string) => makeSecretCutter([Redacted.make(secret)], "<redacted>")(text)

/** What secrets are made of, and what escapes are made of. */
const character = fc.constantFrom(...`${"abcxyzABCXYZ0123456789_-.~".repeat(3)}+/=:;,!@#$%&*()<>"'\\|é😀`)
const secrets = (minLength: number, maxLength: number) =>
  fc
    .array(character, { minLength, maxLength })
    .map((characters) => characters.join(""))
    // What looks like an escape itself may be four characters and mean one, which are too few.
    .filter((secret) => /[\w.~-]{4}/.test(secret) && !/%[0-9a-f]{2}|&[#a-z]|\\\w/i.test(secret))
    .filter((secret) => !/^\\|\\$/.test(secret))

describe("makeSecretCutter and the encodings of a secret", () => {
  it.each(encodings)("takes out a secret of any kind: %s", (_, encode) => {
    fc.assert(
      fc.property(secrets(4, 60), (secret) => {
        assert.match(cut(secret, `(${encode(secret)})`), justTheSecret, encode(secret))
      })
    )
  })

  const longSecrets = [28, 1000].map((kilobytes) => {
    const secret = Array.from(
      { length: kilobytes },
      (_, index) => `${index}.${"eyJhbGciOiJSUzI1NiJ9/aA+_-".repeat(38)}`
    ).join("")
    return { secret, cutLong: makeSecretCutter([Redacted.make(secret)], "<redacted>") }
  })

  it.each(encodings)("takes out a secret of 28 kB and one of 1 MB: %s", (_, encode) => {
    for (const { cutLong, secret } of longSecrets) assert.match(cutLong(`(${encode(secret)})`), justTheSecret)
  })

  it.each(encodings)("leaves a secret of less than four characters: %s", (_, encode) => {
    for (const secret of ["a", "ab", "abc"]) assert.strictEqual(cut(secret, encode(secret)), encode(secret))
  })
})

describe("makeSecretMask and the encodings of a secret", () => {
  it.each(encodings)("shows no part of a secret to people: %s", (_, encode) => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_.~-]{12,60}$/), fc.nat(20), (secret, start) => {
        const part = secret.slice(Math.min(start, secret.length - 10))
        const shown = makeSecretMask([Redacted.make(secret)])(`(${encode(part)})`)
        assert.match(shown, /^\([A0]{0,6}\[secret\][A=0]{0,6}\)$/, encode(part))
      })
    )
  })
})
