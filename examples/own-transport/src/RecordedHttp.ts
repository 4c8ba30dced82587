import { OAuthHttp } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import type { HttpClientError } from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"

/** What went over the wire, without what is secret in it: neither query, headers nor body. */
export interface Exchange {
  readonly method: string
  readonly url: string
  /** Undefined if there was no answer. */
  readonly status: number | undefined
  readonly milliseconds: number
}

/** The transport below, with a record of each exchange. */
export const recordedHttp = (
  record: (exchange: Exchange) => Effect.Effect<void>
): Layer.Layer<OAuthHttp, never, OAuthHttp> => {
  const recorded = <A extends { readonly status: number }, E>(
    send: Effect.Effect<A, E>,
    { method, url }: HttpClientRequest
  ): Effect.Effect<A, E> =>
    Effect.gen(function* () {
      const begin = yield* Clock.currentTimeMillis
      const note = (status: number | undefined) =>
        Effect.flatMap(Clock.currentTimeMillis, (end) =>
          record({ method, url: url.replace(/[?#].*$/s, ""), status, milliseconds: end - begin })
        )
      const answer = yield* Effect.onError(send, () => note(undefined))
      yield* note(answer.status)
      return answer
    })
  return Layer.effect(
    OAuthHttp,
    Effect.map(OAuthHttp, (below) => ({
      connection: (config, options) =>
        Effect.map(below.connection(config, options), ({ client, exchange, ...connection }) => ({
          ...connection,
          client: HttpClient.transform(client, recorded<HttpClientResponse, HttpClientError>),
          // The shorter way that a transport may have, for answers that are read whole.
          exchange: exchange && ((request, reading) => recorded(exchange(request, reading), request))
        }))
    }))
  )
}
