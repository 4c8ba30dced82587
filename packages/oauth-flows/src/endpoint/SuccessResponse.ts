import { InvalidResponse } from "@secure-mcp/oauth-core"
import type { OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import type { HttpClientError } from "effect/http/HttpClientError"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Predicate from "effect/Predicate"
import type { Endpoint } from "./Endpoint.ts"
import type { Refuse } from "./ErrorResponse.ts"
import { parseFields, readBody, type ResponseFields } from "./ResponseBody.ts"

/** The fields of a successful answer. Some servers put the error of RFC 6749 §5.2 into a 200. */
export const readSuccessFields =
  (endpoint: Endpoint) =>
  (
    response: HttpClientResponse,
    refuse: Refuse
  ): Effect.Effect<ResponseFields, OAuthErrorReason | HttpClientError> =>
    readBody(response).pipe(
      Effect.catchTag("UnusableBody", ({ problem }) => unusableResponse(endpoint, problem)),
      Effect.flatMap((body) =>
        Effect.fromResult(parseFields(body)).pipe(
          Effect.catch((problem) => unusableResponse(endpoint, problem))
        )
      ),
      Effect.filterOrFail(
        (fields) => !saysError(fields),
        (fields) => refuse.fromFields(response.status, fields)
      )
    )

/** An error, in whatever form, or a plain no (Slack's `ok`). */
const saysError = ({ error, ok, access_token: accessToken }: ResponseFields): boolean =>
  isFilled(error) || (!isFilled(accessToken) && (Predicate.isObject(error) || ok === false))

/** @param problem as in "it has no `access_token`"; quotes nothing of the answer */
export const unusableResponse = ({ name }: Endpoint, problem: string) =>
  Effect.fail(new InvalidResponse({ endpoint: name, problem }))

/** Whether a field holds text that is not empty. */
export const isFilled = (value: unknown): value is string => Predicate.isString(value) && value !== ""
