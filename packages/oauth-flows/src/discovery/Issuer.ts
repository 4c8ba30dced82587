/** Whether a document that calls itself `own` is the one of the issuer that was asked (RFC 8414 §3.3). */
export const isIssuerOf = (asked: string, own: string): boolean =>
  asked === own || (differInLastSlash(asked, own) && isOrigin(asked) && isOrigin(own))

/** Whether two texts are the same but for a slash at the end. */
export const differInLastSlash = (a: string, b: string): boolean =>
  a !== b && a.replace(/\/$/, "") === b.replace(/\/$/, "")

/** Without a path both spellings lead to the same document, so neither can be another server's. */
const isOrigin = (issuer: string): boolean => /^https?:\/\/[^/?#]+\/?$/i.test(issuer)

/** Whether somebody who reads the network could have put the other name there. Such a name is never accepted. */
export const leavesHttps = (asked: string, own: string): boolean =>
  /^https:/i.test(asked) && !/^https:/i.test(own)

/**
 * The values of `iss` that an authorization response may have (RFC 9207 §2.4): the issuer as its document writes it.
 * A document under another name is used only if the configuration allows that. Then the issuer that was asked and the
 * origin of the authorization endpoint, which some servers send, are accepted besides.
 */
export const responseIssuers = (
  asked: string,
  own: string,
  authorizationEndpoint: string | undefined
): ReadonlyArray<string> => {
  if (isIssuerOf(asked, own)) return [own]
  const origin = authorizationEndpoint === undefined ? undefined : URL.parse(authorizationEndpoint)?.origin
  return origin === undefined ? [asked, own] : [asked, own, origin]
}

/**
 * The `aud` of client assertions (RFC 7523 §3): the issuer as its document writes it. A document under another name does
 * not choose it, because it could choose a server that takes the assertion for its own.
 */
export const assertionAudience = (asked: string, own: string): string =>
  isIssuerOf(asked, own) ? own : asked
