import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"

/** The fields of an answer, JSON or form-encoded. */
export type ResponseFields = Readonly<Record<string, unknown>>

/**
 * Reads a body as JSON (RFC 6749 §5.1) or, as some servers send it, as a form. Looks at the body itself, because
 * the content type is wrong too often. Fails with a description that never quotes the body.
 */
export const parseFields = (body: string): Result.Result<ResponseFields, string> => {
  const text = body.trim()
  if (text === "") return Result.fail("its body is empty")
  if (text.startsWith("<")) return Result.fail("it is an HTML or XML page, not JSON")
  if (text.startsWith("{")) return parseJsonObject(text)
  if (/^[\w.-]+=/.test(text)) return parseForm(text)
  return Result.fail("it is neither a JSON object nor a form")
}

const parseJsonObject = (text: string): Result.Result<ResponseFields, string> => {
  const parsed = Result.try((): unknown => JSON.parse(text))
  return Result.isSuccess(parsed) && Predicate.isObject(parsed.success)
    ? Result.succeed({ ...parsed.success })
    : Result.fail("its JSON is incomplete or malformed")
}

/** RFC 6749 §3.2: a parameter must not stand there twice. */
const parseForm = (text: string): Result.Result<ResponseFields, string> => {
  const entries = [...new URLSearchParams(text)]
  return new Set(entries.map(([name]) => name)).size === entries.length
    ? Result.succeed(Object.fromEntries(entries))
    : Result.fail("its form has a parameter twice")
}
