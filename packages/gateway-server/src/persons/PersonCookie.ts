import * as Duration from "effect/Duration"
import { type BrowserCookies, serializeCookie } from "../login/LoginCookie.ts"

/**
 * A cookie of the pages of people. Over https it is a `__Host-` cookie, which is set by this host alone; browsers refuse that
 * over the plain http of loopback. `Lax`, not `Strict`: the browser comes back from the page of the company.
 */
export const personCookie = (ownName: string, publicUrl: string) => {
  const isHttps = publicUrl.startsWith("https:")
  const name = isHttps ? `__Host-${ownName}` : ownName
  const serialize = (name: string, value: string, maxAge: Duration.Duration): string =>
    serializeCookie(name, value, { isHttps }, maxAge)
  return {
    read: (cookies: BrowserCookies): string | undefined => cookies[name],
    write: (value: string, maxAge: Duration.Duration): string => serialize(name, value, maxAge),
    /** Takes it out of the browser. */
    remove: (): string => serialize(name, "", Duration.zero),
    /** Takes all out of the browser whose names begin with this one's. */
    removeAll: (cookies: BrowserCookies): ReadonlyArray<string> =>
      Object.keys(cookies)
        .filter((other) => other.startsWith(name) && /^[\w-]+$/.test(other))
        .map((other) => serialize(other, "", Duration.zero))
  }
}
