import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CompactEncrypt, SignJWT, UnsecuredJWT } from "jose"
import { createSecretKey, randomBytes } from "node:crypto"
import { JwtBearer } from "../src/index.ts"
import { reasonOf, withToken } from "./identify.ts"
import { issuerUrl, makeIssuer, makeKey, rightClaims, sign, type TestKey } from "./TestIssuer.ts"

const keys: Record<string, TestKey> = {}
const key = (name: string): TestKey => keys[name] ?? assert.fail(`There is no key ${name}`)

beforeAll(async () => {
  keys["own"] = await makeKey("ES256", "own")
  keys["rsa"] = await makeKey("RS256", "rsa")
  keys["ed"] = await makeKey("EdDSA", "ed")
  keys["stranger"] = await makeKey("ES256", "own")
  keys["new"] = await makeKey("ES256", "never-published")
})

/** What an issuer that gives out these tokens publishes. */
const published = () => [key("own"), key("rsa"), key("ed")]

const without = (claim: string) =>
  Object.fromEntries(Object.entries(rightClaims).filter(([name]) => name !== claim))

const raw = (...parts: ReadonlyArray<unknown>) =>
  parts
    .map((part) =>
      typeof part === "string" ? part : Buffer.from(JSON.stringify(part)).toString("base64url")
    )
    .join(".")

const right = { alg: "ES256", kid: "own", typ: "at+jwt" }

/** The token with one character of a part replaced by another. */
const changed = async (part: 0 | 1 | 2) => {
  const parts = (await sign(key("own"))).split(".")
  const text = parts[part] ?? ""
  const at = Math.floor(text.length / 2)
  parts[part] = text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1)
  return parts.join(".")
}

const rsaPublicText = () => Buffer.from(JSON.stringify(key("rsa").jwk))

const wrongTokens: ReadonlyArray<
  readonly [name: string, make: () => string | Promise<string>, reason: string]
> = [
  ["is no JWT", () => "opaque-token", "does not have three parts"],
  ["has two parts", () => raw(right, rightClaims), "does not have three parts"],
  ["has four parts", () => raw(right, rightClaims, "AA", "AA"), "does not have three parts"],
  [
    "is encrypted",
    () =>
      new CompactEncrypt(Buffer.from(JSON.stringify(rightClaims)))
        .setProtectedHeader({ alg: "dir", enc: "A256GCM" })
        .encrypt(randomBytes(32)),
    "encrypted (JWE)"
  ],
  ["has a part that is not base64url", () => raw(right, "a+b", "AA"), "not base64url"],
  [
    "has a header that is not JSON",
    () => raw("AAAA", rightClaims, "AA"),
    "header of the token is not a JSON object"
  ],
  [
    "has a header that is a list",
    () => raw([right], rightClaims, "AA"),
    "header of the token is not a JSON object"
  ],
  [
    "has claims that are not JSON",
    () => raw(right, "AAAA", "AA"),
    "claims of the token are not a JSON object"
  ],
  [
    "has claims that are a text",
    () => raw(right, Buffer.from('"x"').toString("base64url"), "AA"),
    "claims of the token are not a JSON object"
  ],
  ["is not signed", () => new UnsecuredJWT(rightClaims).encode(), "`alg` is none"],
  [
    "is not signed, and says so in capitals",
    () => raw({ ...right, alg: "NONE" }, rightClaims, "AA"),
    "not accepted here"
  ],
  [
    "is signed with the public key as a shared secret",
    () =>
      new SignJWT(rightClaims)
        .setProtectedHeader({ alg: "HS256", kid: "rsa", typ: "at+jwt" })
        .sign(createSecretKey(rsaPublicText())),
    "shared secret"
  ],
  [
    "has an unknown algorithm",
    () => raw({ ...right, alg: "ES256K" }, rightClaims, "AA"),
    "not accepted here"
  ],
  ["has no algorithm", () => raw({ kid: "own" }, rightClaims, "AA"), "not accepted here"],
  [
    "has an algorithm that is a number",
    () => raw({ ...right, alg: 1 }, rightClaims, "AA"),
    "not accepted here"
  ],
  [
    "demands an extension",
    () => raw({ ...right, crit: ["x"], x: 1 }, rightClaims, "AA"),
    "demands an extension"
  ],
  [
    "has an unencoded payload",
    () => raw({ ...right, b64: false }, rightClaims, "AA"),
    "demands an extension"
  ],
  [
    "has a `kid` that is a number",
    () => raw({ ...right, kid: 1 }, rightClaims, "AA"),
    "`kid` of the token is not a text"
  ],
  ["is for a logout", () => sign(key("own"), rightClaims, { typ: "logout+jwt" }), "`typ`"],
  ["is a proof of possession", () => sign(key("own"), rightClaims, { typ: "dpop+jwt" }), "`typ`"],
  ["is of no issuer", () => sign(key("own"), without("iss")), "issuer that this gateway does not know"],
  [
    "is of another issuer",
    () => sign(key("own"), { ...rightClaims, iss: "https://evil.example" }),
    "issuer that this gateway does not know"
  ],
  [
    "is of the issuer with a slash",
    () => sign(key("own"), { ...rightClaims, iss: `${issuerUrl}/` }),
    "issuer that this gateway does not know"
  ],
  [
    "is of a list of issuers",
    () => sign(key("own"), { ...rightClaims, iss: [issuerUrl] }),
    "issuer that this gateway does not know"
  ],
  [
    "is signed by a stranger under a known `kid`",
    () => sign(key("stranger")),
    "signature of the token is wrong"
  ],
  ["is signed with an unknown key", () => sign(key("new")), "key that its issuer does not have"],
  [
    "has the `kid` of a key of another type",
    () => sign(key("own"), rightClaims, { kid: "rsa" }),
    "key that its issuer does not have"
  ],
  [
    "brings its own key",
    () => sign(key("new"), rightClaims, { jwk: key("new").jwk }),
    "key that its issuer does not have"
  ],
  [
    "names a place for its key",
    () => sign(key("new"), rightClaims, { jku: "https://evil.example/keys" }),
    "key that its issuer does not have"
  ],
  [
    "has a changed claim",
    () => changed(1),
    "claims of the token are not a JSON object|signature of the token is wrong|issuer"
  ],
  ["has a changed signature", () => changed(2), "signature of the token is wrong"],
  [
    "has an empty signature",
    async () => (await sign(key("own"))).replace(/[^.]*$/, ""),
    "signature of the token is wrong"
  ],
  ["never ends", () => sign(key("own"), without("exp")), "no `exp`"],
  ["ends at a text", () => sign(key("own"), { ...rightClaims, exp: "3600" }), "no `exp`"],
  ["is not valid yet", () => sign(key("own"), { ...rightClaims, nbf: 61 }), "not valid yet"],
  ["was issued in the future", () => sign(key("own"), { ...rightClaims, iat: 61 }), "not valid yet"],
  [
    "has an `nbf` that is a text",
    () => sign(key("own"), { ...rightClaims, nbf: "1" }),
    "`nbf` of the token is not a time"
  ],
  ["is for nobody", () => sign(key("own"), without("aud")), "no `aud`"],
  [
    "is for another server",
    () => sign(key("own"), { ...rightClaims, aud: "https://gw.example.com/servers/b/mcp" }),
    "for another server"
  ],
  [
    "is for a prefix of the server",
    () => sign(key("own"), { ...rightClaims, aud: "https://gw.example.com" }),
    "for another server"
  ],
  [
    "is for the server with a slash",
    () => sign(key("own"), { ...rightClaims, aud: `${rightClaims.aud}/` }),
    "for another server"
  ],
  [
    "has a number among its audiences",
    () => sign(key("own"), { ...rightClaims, aud: [rightClaims.aud, 1] }),
    "no `aud`"
  ],
  ["says nobody's name", () => sign(key("own"), without("sub")), "no `sub`"],
  ["has an empty name", () => sign(key("own"), { ...rightClaims, sub: "" }), "no `sub`"],
  ["has a name that is a number", () => sign(key("own"), { ...rightClaims, sub: 7 }), "no `sub`"],
  ["is an ID token", () => sign(key("own"), { ...rightClaims, at_hash: "x" }, { typ: "JWT" }), "ID token"],
  ["is an ID token of Cognito", () => sign(key("own"), { ...rightClaims, token_use: "id" }), "ID token"],
  [
    "is bound to a key of its client",
    () => sign(key("own"), { ...rightClaims, cnf: { jkt: "x" } }),
    "bound to a key of its client"
  ],
  [
    "is bound to a certificate",
    () => sign(key("own"), { ...rightClaims, cnf: { "x5t#S256": "x" } }),
    "bound to a client certificate"
  ],
  [
    "is too long",
    () => sign(key("own"), { ...rightClaims, pad: "x".repeat(20_000) }),
    "longer than 16384 characters"
  ]
]

describe("a token that is wrong", () => {
  it.effect.each(wrongTokens)("a token that %s is refused for that", ([, make, reason]) =>
    Effect.gen(function* () {
      const issuer = makeIssuer(published())
      const token = yield* Effect.promise(async () => make())
      const found = yield* withToken(token).pipe(
        Effect.provide(JwtBearer.layer([{ issuer: issuerUrl }]).pipe(Layer.provide(issuer.network)))
      )
      assert.match(
        reasonOf(found),
        new RegExp(`^InvalidToken: .*(?:${reason.replaceAll(/[()]/g, String.raw`\$&`)})`)
      )
      for (const part of token.split(".").slice(1)) {
        if (part.length > 20) assert.notInclude(reasonOf(found), part)
      }
    })
  )

  it.effect.each([
    ["ES256", "own", {}],
    ["RS256", "rsa", {}],
    ["EdDSA", "ed", {}],
    ["with the type JWT", "own", { typ: "JWT" }],
    ["with the whole media type", "own", { typ: "application/at+jwt" }],
    ["without a type", "own", { typ: undefined }],
    ["without a key id", "own", { kid: undefined }]
  ] as const)("a token that is right is accepted: %s", ([, name, header]) =>
    Effect.gen(function* () {
      const issuer = makeIssuer(published())
      const token = yield* Effect.promise(() => sign(key(name), rightClaims, header))
      const found = yield* withToken(token).pipe(
        Effect.provide(JwtBearer.layer([{ issuer: issuerUrl }]).pipe(Layer.provide(issuer.network)))
      )
      assert.strictEqual(reasonOf(found), "accepted")
    })
  )
})
