import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import type { OAuthToken } from "@secure-mcp/oauth-core"

/** The part of a token's lifetime over which renewals are spread. */
const spreadPart = 0.1

/**
 * How much earlier than others a token is renewed, in milliseconds: between nothing and a tenth of its lifetime. Tokens that
 * were obtained together, as after an outage, are so not renewed together. It follows from the access token, so that all
 * processes that share a token agree.
 */
export const renewalSpread = ({ accessToken, lifetime }: OAuthToken): number =>
  Duration.isFinite(lifetime)
    ? fractionOf(Redacted.value(accessToken)) * spreadPart * Duration.toMillis(lifetime)
    : 0

/** Characters at the end of a token that make it differ from others: of a JWT, a part of its signature. */
const tail = 24

/** A number from 0 to 1 (FNV-1a, 32 bits, with a last mixing): other tokens give others, evenly spread. */
const fractionOf = (text: string): number => {
  let hash = 0x811c9dc5
  for (let index = Math.max(0, text.length - tail); index < text.length; index += 1)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32
}
