import * as Redacted from "effect/Redacted"
import { isLoopbackHost } from "../config/EndpointRule.ts"
import { isWithoutProxy } from "./NoProxy.ts"

/** The HTTP proxies that requests go through. Absent: none. */
export interface Proxies {
  /** The URL of the proxy for http URLs. It may hold a user name and a password. */
  readonly http?: Redacted.Redacted | undefined
  /** The URL of the proxy for https URLs. It may hold a user name and a password. */
  readonly https?: Redacted.Redacted | undefined
  /** Hosts that are reached directly, in the form of the variable NO_PROXY. */
  readonly noProxy?: string | undefined
}

/**
 * The URL of the proxy that a request to `url` goes through; undefined if it goes directly. This machine is always
 * reached directly.
 *
 * @example
 * ```ts
 * import { proxyFor } from "@secure-mcp/oauth-core"
 * import * as Redacted from "effect/Redacted"
 *
 * const proxies = { https: Redacted.make("http://proxy.example:3128"), noProxy: ".corp.example,10.0.0.0/8" }
 * proxyFor("https://mcp.example.com/mcp", proxies) // the proxy
 * proxyFor("https://git.corp.example/mcp", proxies) // undefined
 * ```
 */
export const proxyFor = (url: string, proxies: Proxies | undefined): Redacted.Redacted | undefined => {
  if (proxies === undefined) return undefined
  const parsed = URL.parse(url)
  if (parsed === null || isLoopbackHost(parsed.hostname.replace(/\.$/, ""))) return undefined
  const proxy = parsed.protocol === "https:" ? proxies.https : proxies.http
  return proxy === undefined || isWithoutProxy(parsed, proxies.noProxy ?? "") ? undefined : proxy
}

/** The address of a proxy, for people: without its user name and password. */
export const proxyAddress = (proxy: Redacted.Redacted): string =>
  URL.parse(Redacted.value(proxy))?.origin ?? "the proxy"
