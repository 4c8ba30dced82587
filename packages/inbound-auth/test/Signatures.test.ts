import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { JwtBearer } from "../src/index.ts"
import { reasonOf, withToken } from "./identify.ts"
import { issuerUrl, makeIssuer, makeKey, rightClaims, sign } from "./TestIssuer.ts"

const accepting = (key: Effect.Success<ReturnType<typeof keyOf>>) =>
  Effect.provide(JwtBearer.layer([{ issuer: issuerUrl }]).pipe(Layer.provide(makeIssuer([key]).network)))

const keyOf = (alg: string) => Effect.promise(() => makeKey(alg, "own"))

const judgement = (token: string) => Effect.map(withToken(token), reasonOf)

/** Signs until a signature has a property. */
const signUntil = (key: Effect.Success<ReturnType<typeof keyOf>>, isWanted: (signature: Buffer) => boolean) =>
  Effect.promise(async () => {
    for (let jti = 0; ; jti += 1) {
      const token = await sign(key, { ...rightClaims, jti: String(jti) })
      const signature = Buffer.from(token.split(".")[2] ?? "", "base64url")
      if (isWanted(signature)) return { token, signature }
    }
  })

const withSignature = (token: string, signature: Uint8Array) =>
  `${token.slice(0, token.lastIndexOf("."))}.${Buffer.from(signature).toString("base64url")}`

const algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
const curves = ["ES256", "ES384", "ES512"]

describe("the signature of a token", () => {
  it.effect.each(algorithms)(
    "a token that is signed with %s is accepted, and with a bit changed it is not",
    (alg) =>
      Effect.gen(function* () {
        const key = yield* keyOf(alg)
        yield* Effect.gen(function* () {
          const { signature, token } = yield* signUntil(key, () => true)
          assert.strictEqual(yield* judgement(token), "accepted")
          for (const at of [0, signature.length / 2, signature.length - 1]) {
            const changed = Buffer.from(signature)
            changed[at] = (changed[at] ?? 0) ^ 1
            assert.include(
              yield* judgement(withSignature(token, changed)),
              "The signature of the token is wrong"
            )
          }
        }).pipe(accepting(key))
      })
  )

  it.effect.each(curves)("a signature of %s is accepted whatever r and s begin with", (alg) =>
    Effect.gen(function* () {
      const key = yield* keyOf(alg)
      const begins = [
        (first = 0) => first === 0,
        // The first byte of ES512 has one bit only.
        (first = 0) => (alg === "ES512" ? first === 1 : first > 127),
        (first = 0) => first > 0 && first < 128
      ]
      yield* Effect.gen(function* () {
        for (const begin of begins)
          for (const isS of [false, true]) {
            const { token } = yield* signUntil(key, (signature) =>
              begin(signature[isS ? signature.length / 2 : 0])
            )
            assert.strictEqual(yield* judgement(token), "accepted")
          }
      }).pipe(accepting(key))
    })
  )

  it.effect.each(curves)("a signature of %s in another length or form, or of zeros, is wrong", (alg) =>
    Effect.gen(function* () {
      const key = yield* keyOf(alg)
      yield* Effect.gen(function* () {
        const { signature, token } = yield* signUntil(key, ([first = 0]) => first === 0)
        const half = signature.length / 2
        const zeros = Buffer.alloc(half)
        for (const wrong of [
          signature.subarray(1),
          Buffer.concat([Buffer.alloc(1), signature]),
          Buffer.concat([
            Buffer.alloc(1),
            signature.subarray(0, half),
            Buffer.alloc(1),
            signature.subarray(half)
          ]),
          Buffer.concat([signature, Buffer.alloc(1)]),
          signature.subarray(0, half),
          Buffer.concat([signature.subarray(half), signature.subarray(0, half)]),
          Buffer.concat([zeros, signature.subarray(half)]),
          Buffer.concat([signature.subarray(0, half), zeros]),
          Buffer.concat([zeros, zeros]),
          Buffer.alloc(signature.length, 0xff),
          Buffer.alloc(0)
        ])
          assert.include(yield* judgement(withSignature(token, wrong)), "The signature of the token is wrong")
        assert.strictEqual(yield* judgement(token), "accepted")
      }).pipe(accepting(key))
    })
  )
})
