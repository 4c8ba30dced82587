import * as Effect from "effect/Effect"
import type { IncomingHttpHeaders } from "node:http"
import { text } from "node:stream/consumers"
import type { KoaContextWithOIDC } from "oidc-provider"

/** One request as it arrived at the token endpoint, and the status of its answer. */
export interface TokenRequest {
  readonly headers: IncomingHttpHeaders
  /** The form, secrets included; a repeated parameter has all its values. */
  readonly form: Readonly<Record<string, string | ReadonlyArray<string>>>
  /** The HTTP status of the answer. */
  readonly status: number
}

/**
 * Middleware that records what the token endpoint receives, and can simulate an outage.
 */
export const tokenRequestRecorder = (tokenPath: string) => {
  const requests: Array<TokenRequest> = []
  let outage = false

  const middleware = async (context: KoaContextWithOIDC, next: () => Promise<void>) => {
    if (context.path !== tokenPath || context.method !== "POST") return next()
    const form = outage ? await refuse(context) : await next().then(() => context.oidc.body ?? {})
    requests.push({
      headers: context.req.headers,
      form: form as TokenRequest["form"],
      status: context.status
    })
  }

  return {
    middleware,
    requests: Effect.sync((): ReadonlyArray<TokenRequest> => [...requests]),
    setOutage: (on: boolean) =>
      Effect.sync(() => {
        outage = on
      })
  }
}

const refuse = async (context: KoaContextWithOIDC) => {
  const form = formOf(new URLSearchParams(await text(context.req)))
  context.status = 503
  context.body = { error: "temporarily_unavailable" }
  return form
}

const formOf = (parameters: URLSearchParams): TokenRequest["form"] => {
  const form: Record<string, string | ReadonlyArray<string>> = {}
  for (const name of new Set(parameters.keys())) {
    const values = parameters.getAll(name)
    form[name] = values.length === 1 ? (values[0] ?? "") : values
  }
  return form
}
