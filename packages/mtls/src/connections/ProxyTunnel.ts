import { ProxyFailure, proxyAddress } from "@secure-mcp/oauth-core/internal"
import * as Redacted from "effect/Redacted"
import { type buildConnector, type Dispatcher, Pool, ProxyAgent } from "undici"

/** How TLS connections are made. */
export interface ConnectionTls {
  readonly toServer: buildConnector.BuildOptions
  /** To a proxy with an https URL: without the client certificate. */
  readonly toProxy: buildConnector.BuildOptions
}

/**
 * Requests go through a tunnel (CONNECT, RFC 9110 §9.3.6) to their server, plain http as well: the proxy sees where
 * they go, and what is https stays between us and the server.
 */
export const makeProxyAgent = (
  proxy: Redacted.Redacted,
  { toProxy, toServer }: ConnectionTls
): Dispatcher => {
  const { origin, password, username } = new URL(Redacted.value(proxy))
  const { timeout, ...requestTls } = toServer
  return new ProxyAgent({
    uri: origin,
    ...(username === "" && password === "" ? {} : { token: basic(username, password) }),
    proxyTunnel: true,
    requestTls,
    proxyTls: toProxy,
    ...(timeout == null ? {} : { connectTimeout: timeout }),
    allowH2: false,
    headersTimeout: 0,
    bodyTimeout: 0,
    clientFactory: (url, options) =>
      new Pool(url, { ...options, headersTimeout: timeout ?? 10_000 }).compose(
        reportFailures(proxyAddress(proxy))
      )
  })
}

/** RFC 7617. The parts of a URL are percent-encoded. */
const basic = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64")}`

/** Errors say that the proxy failed and not the server, with the status of its answer. */
const reportFailures =
  (proxy: string): Dispatcher.DispatcherComposeInterceptor =>
  (dispatch) =>
  (options, handler) =>
    dispatch(options, {
      onRequestStart: (controller, context: unknown) => handler.onRequestStart?.(controller, context),
      onRequestUpgrade: (controller, status, headers, socket) => {
        if (status === 200) return handler.onRequestUpgrade?.(controller, status, headers, socket)
        socket.on("error", () => {}).destroy()
        handler.onResponseError?.(controller, new ProxyFailure(proxy, status))
      },
      onResponseStart: (controller, ...answer) => handler.onResponseStart?.(controller, ...answer),
      onResponseError: (controller, error) =>
        handler.onResponseError?.(controller, new ProxyFailure(proxy, error))
    })
