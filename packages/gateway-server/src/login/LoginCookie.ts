import * as Cookies from "effect/http/Cookies"
import * as Duration from "effect/Duration"

/** Which link it is, and how browsers reach it. */
export interface LinkAddress {
  /** 256 bits, base64url */
  readonly id: string
  readonly isHttps: boolean
}

/** The cookies of a browser, by name. */
export type BrowserCookies = Readonly<Record<string, string | undefined>>

export const readCookies = (header: string | undefined): BrowserCookies => Cookies.parseHeader(header ?? "")

/**
 * Each login has a cookie of its own, so that several can be under way in one browser. The name shows 96 bits of the id,
 * and leaves 160 that nobody can guess.
 */
export const cookieName = ({ id, isHttps }: LinkAddress): string => namePrefix(isHttps) + id.slice(0, 16)

/** A `__Host-` cookie is set by this host alone, over TLS. Browsers refuse it over the plain http of loopback. */
const namePrefix = (isHttps: boolean): string => (isHttps ? "__Host-secure_mcp_login_" : "secure_mcp_login_")

/** `Lax`, not `Strict`: the redirect comes from the page of the authorization server. */
export const setCookie = (address: LinkAddress, secret: string, lifetime: Duration.Duration): string =>
  serializeCookie(cookieName(address), secret, address, lifetime)

/**
 * Removes cookies of other logins if there are more than eight, so that links cannot fill a browser with them until its
 * requests are too long.
 *
 * @param needed what is kept all the same
 */
export const removeOthers = (
  address: LinkAddress,
  cookies: BrowserCookies,
  needed: ReadonlySet<string>
): ReadonlyArray<string> => {
  const prefix = namePrefix(address.isHttps)
  const own = cookieName(address)
  const others = Object.keys(cookies).filter((name) => name.startsWith(prefix) && name !== own)
  return others.length <= mostOthers
    ? []
    : others
        .filter((name) => !needed.has(name))
        .map((name) => serializeCookie(name, "", address, Duration.zero))
}

const mostOthers = 8

/** A `Set-Cookie` header. The whole host gets the cookie, and no script does. */
export const serializeCookie = (
  name: string,
  value: string,
  { isHttps }: Pick<LinkAddress, "isHttps">,
  maxAge: Duration.Duration
): string =>
  Cookies.serializeCookie(
    Cookies.makeCookieUnsafe(name, value, {
      path: "/",
      httpOnly: true,
      sameSite: "lax",
      secure: isHttps,
      maxAge
    })
  )
