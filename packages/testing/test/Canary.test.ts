import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { AssertionError } from "node:assert"
import { inspect } from "node:util"
import { assertNoCanary, canary, findCanaries } from "../src/index.ts"

// Everything an encoder might change: reserved, quoted, escaped, spaced, outside ASCII.
const awkward = `s3cr=t&+/% "q"\\new ü~*`
const base64 = (text: string) => Buffer.from(text).toString("base64")
const base64Url = (text: string) => Buffer.from(text).toString("base64url")
const formEncode = (text: string) => new URLSearchParams([["", text]]).toString().slice(1)
const wrapped = (text: string, width: number, by: string) =>
  text.match(new RegExp(`.{1,${width}}`, "gsu"))?.join(by) ?? ""

const found = (haystack: unknown, secret: string) => findCanaries(haystack, secret).length > 0

describe("canary", () => {
  it("a canary is recognisable and different each time", () => {
    assert.match(canary("client-secret"), /^canary-client-secret-[0-9a-f]{24}$/)
    assert.notStrictEqual(canary("a"), canary("a"))
  })
})

describe.each([
  ["a plain secret", canary("client-secret")],
  ["an awkward secret", awkward]
])("findCanaries, %s", (_, secret) => {
  it.each([
    ["as it is", secret],
    ["percent-encoded", `?client_secret=${encodeURIComponent(secret)}&x=1`],
    [
      "percent-encoded in lower case",
      encodeURIComponent(secret).replace(/%../g, (code) => code.toLowerCase())
    ],
    ["percent-encoded throughout", Buffer.from(secret).toString("hex").replace(/../g, "%$&")],
    ["form-encoded", `client_secret=${formEncode(secret)}`],
    ["in JSON", JSON.stringify({ secret })],
    ["in JSON in JSON", JSON.stringify({ body: JSON.stringify({ secret }) })],
    ["in hex", Buffer.from(secret).toString("hex").toUpperCase()],
    ["in base64", base64(secret)],
    ["in base64url", base64Url(secret)],
    ["in percent-encoded base64", encodeURIComponent(base64(secret))],
    ["in Basic credentials", `Basic ${base64(`id:${secret}`)}`],
    ["in form-encoded Basic credentials", `Basic ${base64(`${formEncode("i d")}:${formEncode(secret)}`)}`],
    ["wrapped", wrapped(secret, 5, "\n")],
    ["wrapped and indented", wrapped(secret, 5, "\r\n    ")],
    ["in wrapped base64", wrapped(base64(`x-id:${secret}`), 20, "\n")],
    ["in wrapped base64 in JSON", JSON.stringify(wrapped(base64(`x-id:${secret}`), 20, "\r\n"))],
    [
      "as util.inspect wraps it",
      inspect({ a: [`${wrapped(base64(secret), 16, "\n")}\n${"x\n".repeat(40)}`] })
    ]
  ])("a canary is found %s", (_, text) => {
    assert.isTrue(found(`before ${text} after`, secret))
  })

  it.each(["", "a", "ab", "abc"])("a canary is found in base64url behind '%s:' with any tail", (prefix) => {
    for (const suffix of ["", ":", ":t", ":ta", ":tai"]) {
      assert.isTrue(found(base64Url(`${prefix}:${secret}${suffix}`), secret), suffix)
      assert.isTrue(found(base64(`${prefix}:${secret}${suffix}`), secret), suffix)
    }
  })

  it.each<[string, () => unknown]>([
    ["a message", () => new Error(`failed with ${secret}`)],
    ["a cause's cause", () => new Error("a", { cause: new Error("b", { cause: new Error(secret) }) })],
    ["an aggregated error", () => new AggregateError([new Error("a"), { deep: { deeper: [[secret]] } }])],
    ["a hidden property", () => Object.defineProperty(new Error("a"), "request", { value: secret })],
    ["a property under a symbol", () => ({ [Symbol("s")]: secret })],
    ["a property name", () => ({ [secret]: 1 })],
    ["a getter of a class of errors", () => new MessageByGetter(secret)],
    ["a value behind a custom inspect", () => ({ secret, [inspect.custom]: () => "nothing here" })],
    ["a custom inspect", () => ({ [inspect.custom]: () => secret })],
    ["a toJSON", () => ({ toJSON: () => secret })],
    ["a Map, a Set", () => new Map([["a", new Set([secret])]])],
    ["bytes", () => ({ body: new TextEncoder().encode(`x${secret}x`) })],
    ["a URL", () => new URL(`https://a.example/?s=${encodeURIComponent(secret)}`)],
    ["URLSearchParams", () => ({ form: new URLSearchParams({ secret }) })],
    ["Headers", () => ({ headers: new Headers({ authorization: `Basic ${base64(`id:${secret}`)}` }) })],
    ["an Exit of Effect", () => Exit.failCause(Cause.die(new Error("a", { cause: secret })))],
    ["a cyclic value", () => cyclic(secret)]
  ])("a canary is found inside %s", (_, make) => {
    assert.isTrue(found(make(), secret))
  })
})

class MessageByGetter extends Error {
  readonly #hidden: string
  constructor(hidden: string) {
    super()
    this.#hidden = hidden
  }
  override get message() {
    return this.#hidden
  }
}

const cyclic = (secret: string) => {
  const value: Record<string, unknown> = { secret }
  value["self"] = value
  return value
}

describe("findCanaries", () => {
  it("a canary is found after a backslash", () => {
    assert.isTrue(found("DOMAIN\\token-of-somebody", "token-of-somebody"))
  })

  it("a text without a canary has no findings", () => {
    const secret = canary("client-secret")
    const others = `${canary("client-secret")} ${base64(`id:${canary("client-secret")}`)}`
    assert.deepStrictEqual(findCanaries(others, secret), [])
    assert.deepStrictEqual(findCanaries(new Error(others, { cause: cyclic(others) }), [secret, awkward]), [])
  })

  it("searching for no canary is an error", () => {
    assert.throws(() => findCanaries("text", []), RangeError)
    assert.throws(() => findCanaries("text", [""]), RangeError)
  })
})

describe("assertNoCanary", () => {
  it("the failure says which canary is where in which encoding", () => {
    const [secret, other] = [canary("client-secret"), canary("other")]
    const error = new Error("a", { cause: { header: `Basic ${base64(`id:${secret}`)}` } })
    assert.throws(
      () => assertNoCanary(error, [other, secret]),
      AssertionError,
      `${secret} stands as base64 in $.cause.header: Basic`
    )
  })

  it("a text without a canary passes", () => {
    assert.doesNotThrow(() => assertNoCanary("nothing of interest", canary("client-secret")))
  })
})
