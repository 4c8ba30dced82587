import { OAuthHttp } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
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
  const recorded = HttpClient.transform((send, { method, url }) =>
    Effect.gen(function* () {
      const begin = yield* Clock.currentTimeMillis
      const note = (status: number | undefined) =>
        Effect.flatMap(Clock.currentTimeMillis, (end) =>
          record({ method, url: url.replace(/[?#].*$/s, ""), status, milliseconds: end - begin })
        )
      const response = yield* Effect.onError(send, () => note(undefined))
      yield* note(response.status)
      return response
    })
  )
  return Layer.effect(
    OAuthHttp,
    Effect.map(OAuthHttp, ({ connection }) => ({
      connection: (config, options) =>
        Effect.map(connection(config, options), (below) => ({ ...below, client: recorded(below.client) }))
    }))
  )
}
