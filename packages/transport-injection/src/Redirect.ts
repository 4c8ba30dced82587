/** What to do with an answer that may be a redirect (RFC 9110 §15.4). */
export type Redirect =
  | { readonly _tag: "NotRedirected" }
  /** The same request goes to this address, which has the same origin. */
  | { readonly _tag: "Followed"; readonly url: URL }
  | {
      readonly _tag: "Refused"
      /** What the server did and what to do, without a subject: for the operator, not for a client that must not learn where the server is. */
      readonly problem: string
    }

/**
 * Decides about an answer to a request that carries a token or the headers of a configuration: these stay within the origin
 * (scheme, host and port). Within it, 307 and 308 are followed with the method and the body, 301, 302 and 303 only for GET and
 * HEAD, because clients disagree on what becomes of another method (RFC 9110 §15.4.2 to §15.4.4).
 *
 * @param location the `Location` header
 * @param options.alreadyFollowed whether the request comes from a redirect: a second one is not followed
 */
export const redirectOf = (
  url: URL,
  status: number,
  location: string | null | undefined,
  method: string,
  options: { readonly alreadyFollowed?: boolean } = {}
): Redirect => {
  if (!isRedirect(status)) return { _tag: "NotRedirected" }
  const target =
    location === null || location === undefined ? undefined : (URL.parse(location, url.href) ?? undefined)
  const problem =
    target === undefined
      ? location === null || location === undefined
        ? "without a `Location`"
        : "to a `Location` that is no address"
      : problemOf(url, target, status, method, options.alreadyFollowed === true)
  if (target === undefined || problem !== undefined)
    return { _tag: "Refused", problem: `redirects (HTTP status ${status}) ${problem}` }
  target.hash = ""
  return { _tag: "Followed", url: target }
}

/** Whether an answer of this status may be a redirect (RFC 9110 §15.4). */
export const isRedirect = (status: number): boolean => redirects.has(status)

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

const problemOf = (
  from: URL,
  to: URL,
  status: number,
  method: string,
  alreadyFollowed: boolean
): string | undefined => {
  if (to.origin !== from.origin)
    return `to ${placeOf(to)}, which is not followed: the token and the headers must not leave ${from.origin}. If the server has moved there, configure that address as its \`url\``
  // Nothing is shown of a path that comes with credentials.
  if (to.username !== "" || to.password !== "")
    return `to an address of ${to.origin} that contains credentials, which is not followed`
  const address = `${to.origin}${to.pathname}`
  if (alreadyFollowed)
    return `a second time, to ${address}, which is not followed: configure the last address as \`url\``
  const isFollowed = status === 307 || status === 308 || method === "GET" || method === "HEAD"
  return isFollowed
    ? undefined
    : `to ${address}, which is not followed for ${method}. If the server is there, configure that address as its \`url\``
}

/** The origin; the scheme alone of an address that has none. */
const placeOf = ({ origin, protocol }: URL): string =>
  origin === "null" ? `an address with ${protocol}` : origin
