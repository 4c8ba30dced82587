import { InvalidResponse } from "@secure-mcp/oauth-core"
import type { OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type { Answer } from "./Answer.ts"
import type { Endpoint } from "./Endpoint.ts"
import type { Refuse } from "./ErrorResponse.ts"
import { parseFields, type ResponseFields } from "./ResponseBody.ts"

/** The fields of a successful answer. Some servers put the error of RFC 6749 §5.2 into a 200. */
export const readSuccessFields =
  (endpoint: Endpoint) =>
  ({ body, status }: Answer, refuse: Refuse): Effect.Effect<ResponseFields, OAuthErrorReason> => {
    const fields = Result.flatMap(body, parseFields)
    if (Result.isFailure(fields)) return unusableResponse(endpoint, fields.failure)
    return saysError(fields.success)
      ? Effect.fail(refuse.fromFields(status, fields.success))
      : Effect.succeed(fields.success)
  }

/** An error, in whatever form, or a plain no (Slack's `ok`). */
const saysError = ({ error, ok, access_token: accessToken }: ResponseFields): boolean =>
  isFilled(error) || (!isFilled(accessToken) && (Predicate.isObject(error) || ok === false))

/** @param problem as in "it has no `access_token`"; quotes nothing of the answer */
export const unusableResponse = ({ name }: Endpoint, problem: string) =>
  Effect.fail(new InvalidResponse({ endpoint: name, problem }))

/** Whether a field holds text that is not empty. */
export const isFilled = (value: unknown): value is string => Predicate.isString(value) && value !== ""
