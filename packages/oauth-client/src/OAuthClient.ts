import {
  AuthorizationRequired,
  type Challenge,
  Misconfigured,
  OAuthError,
  OAuthService,
  type RevocationOutcome
} from "@secure-mcp/oauth-core"
import { type MetricsSnapshot, OAuthMetrics } from "@secure-mcp/oauth-metrics"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { FetchFailed, makeAuthorizedFetch, signalOf } from "./AuthorizedFetch.ts"
import { ClientEvents, type OAuthClientEvents, type OAuthClientListener } from "./ClientEvents.ts"
import { optionsError } from "./ClientFailure.ts"
import { makeClientRuntime } from "./ClientRuntime.ts"
import { OAuthClientError } from "./OAuthClientError.ts"
import { type ClientSettings, decodeOptions, type OAuthClientOptions } from "./OAuthClientOptions.ts"
import { makeSdkSupport, type SdkSupport, sdkSupport } from "./SdkSupport.ts"

/** Options of every call. */
export interface CallOptions {
  /** Aborts the call, which then rejects with an `OAuthClientError` of the reason `Aborted`. */
  readonly signal?: AbortSignal | undefined
}

/** Options of `getAccessToken`. */
export interface GetAccessTokenOptions extends CallOptions {
  /** Obtain a new token, or join a renewal that is under way, although the one that is held is valid. */
  readonly forceRefresh?: boolean | undefined
}

/** Options of `authorize`. */
export interface AuthorizeOptions extends CallOptions {
  /** Where the browser is to return to. Default: the option `redirect_uri`. */
  readonly redirectUri?: string | URL | undefined
}

/** A login on another device (RFC 8628 §3.2). */
export interface DeviceLogin {
  /** The code that the person types in there. */
  readonly userCode: string
  /** Where the person types it in. */
  readonly verificationUri: string
  /** The same with the code in it, for a link or a QR code. */
  readonly verificationUriComplete: string | undefined
  /** Seconds until the code ends. */
  readonly expiresIn: number
  /** Waits until the person has agreed or refused. Call it once. */
  readonly completed: (options?: CallOptions) => Promise<void>
}

/**
 * Access tokens for one MCP server. Every call rejects with an `OAuthClientError`, and with nothing else; `fetch` rejects as
 * the `fetch` of the platform does where the request itself failed.
 */
export interface OAuthClient extends AsyncDisposable {
  /** A valid access token: the one that is held, or a new one. Renewed in the background ahead of its expiry. */
  readonly getAccessToken: (options?: GetAccessTokenOptions) => Promise<string>
  /**
   * `fetch` for the MCP server: requests to its origin carry the token, requests to others are sent as they are. After a
   * 401 the token is replaced and the request repeated once, after a 403 with `insufficient_scope` more scope is requested;
   * a request whose body is a stream is not repeated, but gives its answer, and the next one has the new token. A redirect
   * is followed once, and within the origin only.
   *
   * If the server refuses the new token, too, the reason is `UpstreamUnauthorized`; where a person has to log in,
   * `AuthorizationRequired`. Works detached from the client.
   */
  readonly fetch: typeof globalThis.fetch
  /**
   * Begins a login in a browser (RFC 6749 §4.1) and gives the URL to open. It asks for the scope that the MCP server has
   * demanded last. The URL that the browser returns to goes to `complete`.
   */
  readonly authorize: (options?: AuthorizeOptions) => Promise<URL>
  /**
   * Ends a login: checks the URL that the browser returned to, with its `code` and `state`, and stores the token. A URL that
   * is not the answer to a login of this client changes nothing.
   */
  readonly complete: (url: string | URL, options?: CallOptions) => Promise<void>
  /** Begins a login on another device (RFC 8628). */
  readonly authorizeDevice: (options?: CallOptions) => Promise<DeviceLogin>
  /** Removes the token, here and in the store: the next call obtains a new one. */
  readonly invalidate: (options?: CallOptions) => Promise<void>
  /**
   * Removes the token and has the authorization server revoke it (RFC 7009). Gives `NoRevocationEndpoint` if the server has no
   * such endpoint, and undefined if there was no token.
   */
  readonly revoke: (options?: CallOptions) => Promise<RevocationOutcome | undefined>
  /** What has happened since the client was made, counted. */
  readonly metrics: (options?: CallOptions) => Promise<MetricsSnapshot>
  /** Calls the listener with each event of a name until the returned function is called. What it throws is ignored. */
  readonly on: <Name extends keyof OAuthClientEvents>(
    name: Name,
    listener: OAuthClientListener<Name>
  ) => () => void
  /** Ends calls that are under way with the reason `Closed`, writes what is not stored yet, and closes all connections. */
  readonly close: () => Promise<void>
}

/**
 * Makes a client for the access tokens of one MCP server. It does nothing before the first call, and nothing of it keeps the
 * process alive but a call that somebody waits for.
 *
 * Throws an `OAuthClientError` with the reason `Misconfigured` that names each key that is wrong.
 *
 * @example
 * ```ts
 * import { createOAuthClient } from "@secure-mcp/oauth-client"
 *
 * const client = createOAuthClient({
 *   serverUrl: "https://mcp.example.com/mcp",
 *   token_url: "https://auth.example.com/oauth/token",
 *   client_id: "my-agent",
 *   client_secret: process.env["CLIENT_SECRET"]
 * })
 *
 * export const response = await client.fetch("https://mcp.example.com/mcp", { method: "POST", body: "{}" })
 * ```
 */
export const createOAuthClient = (options: OAuthClientOptions): OAuthClient => {
  const settings = decodeOptions(options)
  if (Result.isFailure(settings)) throw optionsError(settings.failure)
  return makeClient(settings.success)
}

const makeClient = (settings: ClientSettings): OAuthClient & { readonly [sdkSupport]: SdkSupport } => {
  const { config, request, serverUrl } = settings
  const events = new ClientEvents()
  const { close, oauth, run } = makeClientRuntime(settings, events)
  const authorizedFetch = makeAuthorizedFetch(settings)
  /** What the MCP server demanded of the last login, until there was one. */
  let demanded: Challenge | undefined

  const noteDemand = (error: unknown): void => {
    const reason = error instanceof OAuthError ? error.reason : undefined
    if (reason instanceof AuthorizationRequired) demanded = reason.challenge ?? demanded
  }

  const call: typeof run = (effect, signal) =>
    run(
      Effect.tapError(effect, (error) => Effect.sync(() => noteDemand(error))),
      signal
    )

  /** The token that is held, without a fiber: this is what happens on every request. */
  const held = (): string | undefined => {
    const token = oauth()?.peek(request)
    return token && Redacted.value(token.accessToken)
  }

  const obtain = ({ forceRefresh, signal }: GetAccessTokenOptions): Promise<string> =>
    call(
      OAuthService.use((oauth) =>
        forceRefresh === true ? oauth.refresh(request) : oauth.getAccessToken(request)
      ).pipe(Effect.map(({ token }) => Redacted.value(token.accessToken))),
      signal
    )

  const fetchToServer = async (input: string | URL | Request, init: RequestInit | undefined) => {
    const signal = signalOf(input, init) ?? undefined
    try {
      const answered = authorizedFetch(input, init).pipe(
        Effect.catchTag("FetchFailed", (failed) => Effect.succeed(failed))
      )
      const response = await call(answered, signal)
      if (response instanceof FetchFailed) throw response.error
      return response
    } catch (error) {
      throw error instanceof OAuthClientError && error.reason === "Aborted" ? signal?.reason : error
    }
  }

  const authorize: OAuthClient["authorize"] = ({ redirectUri = config.redirectUri, signal } = {}) =>
    call(
      redirectUri === undefined
        ? new Misconfigured({
            problem: "`redirect_uri` is needed for a login: the URL that the browser returns to"
          })
        : OAuthService.use((oauth) =>
            oauth.authorize(request, { redirectUri: String(redirectUri), challenge: demanded })
          ).pipe(Effect.map(({ authorizationUrl }) => new URL(authorizationUrl))),
      signal
    )

  return {
    getAccessToken: (options = {}) => {
      const token = options.forceRefresh === true || options.signal?.aborted === true ? undefined : held()
      return token === undefined ? obtain(options) : Promise.resolve(token)
    },

    fetch: async (input, init) => {
      const target = URL.parse(input instanceof Request ? input.url : String(input))
      return target?.origin === serverUrl.origin ? fetchToServer(input, init) : fetch(input, init)
    },

    authorize,

    complete: (url, { signal } = {}) => {
      const response = URL.parse(String(url))
      return call(
        response === null
          ? new Misconfigured({ problem: "`complete` needs the whole URL that the browser returned to" })
          : OAuthService.use((oauth) => oauth.completeAuthorization(response.searchParams)).pipe(
              Effect.andThen(
                Effect.sync(() => {
                  demanded = undefined
                })
              )
            ),
        signal
      )
    },

    authorizeDevice: async ({ signal } = {}) => {
      const { expiresIn, token, userCode, verificationUri, verificationUriComplete } = await call(
        OAuthService.use((oauth) => oauth.authorizeDevice(request)),
        signal
      )
      return {
        expiresIn,
        userCode,
        verificationUri,
        verificationUriComplete,
        completed: ({ signal } = {}) => call(Effect.asVoid(token), signal)
      }
    },

    invalidate: ({ signal } = {}) =>
      call(
        OAuthService.use((oauth) => oauth.invalidate(request)),
        signal
      ),

    revoke: ({ signal } = {}) =>
      call(
        OAuthService.use((oauth) => oauth.revoke(request)),
        signal
      ),

    metrics: ({ signal } = {}) =>
      call(
        OAuthMetrics.use(({ snapshot }) => snapshot),
        signal
      ),

    on: (name, listener) => events.on(name, listener),
    close,
    [Symbol.asyncDispose]: close,
    [sdkSupport]: makeSdkSupport(settings, call, (scope) => {
      if (scope !== undefined) {
        const names = [demanded?.scope, scope].filter((one) => one !== undefined)
        demanded = { error: undefined, resourceMetadata: undefined, ...demanded, scope: names.join(" ") }
      }
      return authorize()
    })
  }
}
