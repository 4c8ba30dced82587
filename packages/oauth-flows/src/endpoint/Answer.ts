import type { AnswerReading, HttpAnswer, OAuthConnection } from "@secure-mcp/oauth-core"
import { discardBody, isTraced } from "@secure-mcp/oauth-core/internal"
import * as Effect from "effect/Effect"
import type { Headers } from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import type { HttpClientError } from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import * as Result from "effect/Result"
import { bodyText, readBytes } from "./ResponseBody.ts"

/** An answer that has ended. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** The body as text, or why it is of no use, which never quotes it. Empty where the status says all. */
  readonly body: Result.Result<string, string>
}

/** Sends one request and reads its answer, by the shortest way that the connection has. */
export const ask = (
  connection: OAuthConnection,
  request: HttpClientRequest,
  maxBytes: number
): Effect.Effect<Answer, HttpClientError> =>
  Effect.withFiber((fiber) => {
    const reading = { maxBytes, isRead }
    const { client, exchange } = connection
    const answer = isTraced(fiber)
      ? byClient(client, request, reading)
      : exchange === undefined
        ? // The span that is made of each request costs as much as the request.
          Effect.provideService(byClient(client, request, reading), HttpClient.TracerDisabledWhen, () => true)
        : exchange(request, reading)
    return Effect.flatMap(answer, ({ body, headers, status }) => {
      if (!isRead(status)) return Effect.succeed({ status, headers, body: Result.succeed("") })
      if (Result.isSuccess(body)) {
        const text = bodyText(body.success, headers["content-encoding"], maxBytes)
        return Effect.succeed({ status, headers, body: text })
      }
      // The status alone says no. A body that breaks off only takes the explanation away.
      return status < 400
        ? Effect.fail(body.failure)
        : Effect.succeed({ status, headers, body: Result.fail("its body broke off") })
    })
  })

/** A redirect and an outage say all by their status. */
const isRead = (status: number): boolean =>
  (status >= 200 && status < 300) || (status >= 400 && status < 500 && status !== 429)

const byClient = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest,
  { maxBytes }: AnswerReading
): Effect.Effect<HttpAnswer, HttpClientError> =>
  Effect.flatMap(client.execute(request), (response) => {
    const { headers, status } = response
    const body = isRead(status) ? readBytes(response, maxBytes) : Effect.as(discardBody(response), undefined)
    return Effect.map(Effect.result(body), (bytes) => ({ status, headers, body: bytes }))
  })
