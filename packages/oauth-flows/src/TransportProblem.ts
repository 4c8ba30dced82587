import type { HttpClientError } from "effect/http/HttpClientError"
import * as Predicate from "effect/Predicate"

/**
 * Why there was no connection, as the system's own error code. The texts of transport errors are left out: they
 * may quote URLs, headers and what the peer sent.
 */
export const transportProblem = (error: HttpClientError): string => {
  const code = deepestCode(error)
  if (code === undefined) return "the connection broke"
  return /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code) ? `certificate problem: ${code}` : code
}

const deepestCode = (error: unknown): string | undefined => {
  let code: string | undefined
  let current = error
  for (let depth = 0; depth < 8 && Predicate.isObject(current); depth++) {
    if (Predicate.hasProperty(current, "code") && isCode(current.code)) code = current.code
    current = Predicate.hasProperty(current, "cause") ? current.cause : undefined
  }
  return code
}

const isCode = (value: unknown): value is string =>
  Predicate.isString(value) && /^[A-Z][A-Z\d_]{1,60}$/.test(value)
