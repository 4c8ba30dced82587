import { problemsAt, type ConfigProblem, type ConfigResult } from "@secure-mcp/oauth-core"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"

/** Collects the problems of the parts of a document, so that all are reported at once. */
export const collectProblems = () => {
  const problems: Array<ConfigProblem> = []
  return {
    problems,
    /** The value of a part; undefined if it has problems, which are put at the part's own place. */
    accept: <A>(path: ReadonlyArray<PropertyKey>, result: ConfigResult<A>): A | undefined => {
      if (Result.isSuccess(result)) return result.success
      problems.push(...problemsAt(path, result.failure.problems))
      return undefined
    }
  }
}

/** A part of a document before decoding; undefined if it is not there. */
export const part = (input: unknown, key: string): unknown =>
  Predicate.isObject(input) ? Reflect.get(input, key) : undefined
