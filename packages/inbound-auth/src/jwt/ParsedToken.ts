import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"

/** The parts of a JWT (RFC 7519 §3) before anything of it is believed. */
export interface ParsedToken {
  readonly header: Fields
  readonly claims: Fields
  /** What is signed. */
  readonly signed: Buffer
  readonly signature: Buffer
}

/** The members of a JSON object that a stranger wrote. */
export type Fields = Readonly<Record<string, unknown>>

/** The longest token, in characters: what a header can hold in Node. */
const longestToken = 16_384

/** Reads a JWT in compact form (RFC 7515 §7.1). Fails with a problem that quotes nothing of it. */
export const parseToken = (token: string): Result.Result<ParsedToken, string> => {
  if (token.length > longestToken) return Result.fail(`The token is longer than ${longestToken} characters`)
  const parts = token.split(".")
  const [head = "", body = "", signature = ""] = parts
  if (parts.length === 5)
    return Result.fail("The token is encrypted (JWE), and this gateway has no key for it")
  if (parts.length !== 3) return Result.fail("The token is not a JWT: it does not have three parts")
  if (!parts.every(isBase64url)) return Result.fail("The token is not a JWT: a part of it is not base64url")
  const header = fieldsOf(head)
  if (header === undefined) return Result.fail("The header of the token is not a JSON object")
  const claims = fieldsOf(body)
  return claims === undefined
    ? Result.fail("The claims of the token are not a JSON object")
    : Result.succeed({
        header,
        claims,
        signed: Buffer.from(`${head}.${body}`),
        signature: Buffer.from(signature, "base64url")
      })
}

/** Without padding (RFC 7515 §2). One character is no byte. */
const isBase64url = (part: string): boolean => /^[\w-]*$/.test(part) && part.length % 4 !== 1

const utf8 = new TextDecoder("utf-8", { fatal: true })

const fieldsOf = (part: string): Fields | undefined => {
  try {
    const text = utf8.decode(Buffer.from(part, "base64url"))
    const value: unknown = JSON.parse(text)
    return Predicate.isObject(value) && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}
