import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Proxies } from "./Proxies.ts"

/** The key `proxy` of a configuration: the URL of a proxy, or `false` for none. */
export const ProxySetting = Schema.Union([Schema.RedactedFromValue(Schema.String), Schema.Literal(false)])

/** The key `proxy` of a configuration: the URL of a proxy, or `false` for none. */
export type ProxySetting = typeof ProxySetting.Type

/** The setting for http and https URLs. */
export const proxiesOf = (setting: ProxySetting): Proxies =>
  setting === false ? {} : { http: setting, https: setting }

/** What is wrong with a `proxy`, or undefined. Quotes nothing of it: it may hold a password. */
export const proxyProblem = (setting: ProxySetting): string | undefined => {
  if (setting === false) return undefined
  const url = URL.parse(Redacted.value(setting))
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === "")
    return "must be the http(s) URL of a proxy, as in http://proxy.example.com:3128"
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "")
    return "must end with the port of the proxy: it has no path, query or fragment"
  return isPercentEncoded(url.username) && isPercentEncoded(url.password)
    ? undefined
    : "has a `%` in its user name or password that must be written as `%25`"
}

const isPercentEncoded = (text: string): boolean =>
  Result.isSuccess(Result.try(() => decodeURIComponent(text)))
