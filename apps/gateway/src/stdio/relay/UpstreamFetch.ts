import { ClientCertificates } from "@secure-mcp/mtls"
import { type AccessTokenRequest, parseChallenge } from "@secure-mcp/oauth-core"
import {
  accepted,
  type HttpServerEntry,
  refused,
  refusesToken,
  TokenInjector
} from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Undici from "undici"
import { upstreamUnreachable } from "../../upstream/UpstreamUnreachable.ts"

/** A `fetch` for the MCP server of an entry, and for no other. */
export type UpstreamFetch = (url: string | URL, init?: Undici.RequestInit) => Promise<Undici.Response>

/**
 * Makes the `fetch` that an MCP client transport uses to talk to the server of an entry: over the entry's
 * connections, with its headers and its token, repeated with another token as `TokenInjector.use` says. Redirects are not
 * followed. Rejects with an `OAuthError` when no token is to be had, with an `UpstreamFailure` when the server gives no
 * answer.
 */
export const makeUpstreamFetch = Effect.fnUntraced(function* (
  entry: HttpServerEntry,
  tokenRequest: AccessTokenRequest | undefined
) {
  const certificates = yield* ClientCertificates
  // With the loggers, which must not write where the messages go.
  const services = yield* Effect.context<never>()
  const injector = yield* TokenInjector
  const { origin } = new URL(entry.url)

  const send = (url: URL, init: Undici.RequestInit, token: Redacted.Redacted | undefined) => {
    const headers = new Undici.Headers(init.headers)
    for (const [name, value] of Object.entries(entry.headers)) headers.set(name, Redacted.value(value))
    if (token !== undefined) headers.set("authorization", `Bearer ${Redacted.value(token)}`)
    return Effect.flatMap(certificates.connection(entry.oauth), ({ dispatcher }) =>
      Effect.tryPromise(() => Undici.fetch(url, { ...init, headers, dispatcher, redirect: "manual" }))
    ).pipe(Effect.mapError((error) => upstreamUnreachable(entry, error)))
  }

  const fetch: UpstreamFetch = (input, init = {}) => {
    const url = new URL(input)
    const exchange =
      tokenRequest === undefined || url.origin !== origin
        ? send(url, init, undefined)
        : injector.use(tokenRequest, (token) => Effect.flatMap(send(url, init, token), outcome))
    return Effect.runPromiseWith(services)(exchange, init.signal ? { signal: init.signal } : undefined)
  }
  return fetch
})

const outcome = (response: Undici.Response) => {
  const challenge = parseChallenge(response.headers.get("www-authenticate") ?? undefined)
  return refusesToken(response.status, challenge)
    ? Effect.as(discard(response), refused(response.status, challenge))
    : Effect.succeed(accepted(response))
}

/** Frees the connection: an answer that nobody reads keeps it busy. */
const discard = ({ body }: Undici.Response): Effect.Effect<void> =>
  body === null ? Effect.void : Effect.ignore(Effect.tryPromise(() => body.cancel()))
