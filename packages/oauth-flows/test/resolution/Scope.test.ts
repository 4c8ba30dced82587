import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import {
  checkDemandedScope,
  requiredNames,
  scopeNames,
  scopeToRequest,
  unionScope,
  writtenScope
} from "../../src/resolution/Scope.ts"
import { requestFor } from "../TestGrants.ts"

const person = (oauth: object = {}) =>
  requestFor({ grant_type: "authorization_code", client_secret: undefined, ...oauth })

const listed = (scopesSupported?: ReadonlyArray<string>) => ({
  issuer: "https://auth.example.com",
  tokenEndpoint: "https://auth.example.com/token",
  ...(scopesSupported === undefined ? {} : { scopesSupported })
})

describe("scope names", () => {
  it("scope names stand between spaces, or in a list without empty names", () => {
    assert.deepStrictEqual(scopeNames(" a  b\t c "), ["a", "b", "c"])
    assert.deepStrictEqual(scopeNames(["a", "", "b"]), ["a", "b"])
    assert.deepStrictEqual(scopeNames(undefined), [])
  })

  it("scopes are united in order, each name once", () => {
    assert.strictEqual(unionScope("b a", undefined, ["a", "c"]), "b a c")
    assert.isUndefined(unionScope("", undefined, []))
  })

  it("a token needs no name that only the request of a person has", () => {
    assert.deepStrictEqual(requiredNames("a openid profile email offline_access b"), ["a", "b"])
  })

  it("a scope is written as it is, or with the separator that the server wants", () => {
    assert.strictEqual(writtenScope(" a  b ", { scopeSeparator: " " }), " a  b ")
    assert.strictEqual(writtenScope(["a", "b"], { scopeSeparator: " " }), "a b")
    assert.strictEqual(writtenScope(" a  b ", { scopeSeparator: "," }), "a,b")
    assert.isUndefined(writtenScope("", { scopeSeparator: "," }))
    assert.isUndefined(writtenScope(undefined, { scopeSeparator: " " }))
  })
})

describe("the scope of a request", () => {
  it("a single scope is sent as it is written, and two are united", () => {
    const challenge = { scope: "b a" }
    assert.strictEqual(scopeToRequest(requestFor({ scope: "b a b" }), undefined, undefined), "b a b")
    const demanding = { ...requestFor({}), challenge: { scope: " b  a " } }
    assert.strictEqual(scopeToRequest(demanding, undefined, undefined), " b  a ")
    const request = requestFor({ scope: "a c" })
    assert.strictEqual(scopeToRequest({ ...request, challenge }, undefined, undefined), "a c b")
    assert.strictEqual(scopeToRequest({ ...request, challenge: { scope: "" } }, undefined, undefined), "a c")
  })

  it("offline_access is added to a person's scope where the server lists it, and only there", () => {
    assert.strictEqual(
      scopeToRequest(person({ scope: "a" }), undefined, listed(["offline_access"])),
      "a offline_access"
    )
    assert.strictEqual(scopeToRequest(person({ scope: "a" }), undefined, listed()), "a")
    assert.strictEqual(scopeToRequest(person({ scope: "a" }), undefined, listed(["a"])), "a")
    assert.strictEqual(scopeToRequest(person({ scope: "a" }), undefined, undefined), "a")
    assert.strictEqual(
      scopeToRequest(requestFor({ scope: "a" }), undefined, listed(["offline_access"])),
      "a",
      "a machine needs no refresh token"
    )
    assert.isUndefined(scopeToRequest(person(), undefined, listed(["offline_access"])))
  })

  it("offline_access is dropped where it is not wanted, unless the configured scope has it", () => {
    const challenge = { scope: "a offline_access" }
    const without = { ...person(), challenge }
    assert.strictEqual(scopeToRequest(without, undefined, listed(["a"])), "a")
    assert.strictEqual(scopeToRequest(without, undefined, listed()), "a offline_access")
    const configured = { ...person({ scope: "offline_access b" }), challenge }
    assert.strictEqual(scopeToRequest(configured, undefined, listed(["a"])), "offline_access b a")
  })
})

describe("the scope that challenges demand", () => {
  const isTooLong = (scope: string, configured = "", isDemanded = true) => {
    const request = requestFor(configured === "" ? {} : { scope: configured })
    const challenge = isDemanded ? { challenge: { scope: "x" } } : {}
    return Effect.runSync(
      checkDemandedScope({ ...request, ...challenge }, scope).pipe(
        Effect.as(false),
        Effect.catch((error) => Effect.succeed(error.tooLong === true))
      )
    )
  }
  const names = (count: number) => Array.from({ length: count }, (_, index) => `n${index}`).join(" ")

  it("a demanded scope has at most 100 names", () => {
    assert.deepStrictEqual([isTooLong(names(100)), isTooLong(names(101))], [false, true])
  })

  it("a demanded scope has at most 4096 characters, with the spaces", () => {
    const half = "s".repeat(2047)
    assert.deepStrictEqual([isTooLong(`${half} ${half}a`), isTooLong(`${half}a ${half}b`)], [false, true])
    assert.isFalse(isTooLong("s".repeat(4096)))
    assert.isTrue(isTooLong("s".repeat(4097)))
  })

  it("a configured name does not count, and without a demand nothing does", () => {
    assert.isFalse(isTooLong(names(150), names(100)))
    assert.isFalse(isTooLong(names(150), "", false))
  })
})
