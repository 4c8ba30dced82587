import * as Base64Url from "effect/encoding/Base64Url"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

const Claims = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown))

/**
 * The claims of a JWT (RFC 7519 §3); undefined for anything else, an encrypted JWT included.
 *
 * The signature is not checked: an access token is for the resource server to verify. We have it from the token
 * endpoint itself, and what it says of itself only decides what we do with it next.
 */
export const jwtClaims = (token: string): Readonly<Record<string, unknown>> | undefined => {
  const [, payload, signature] = token.split(".")
  if (payload === undefined || signature === undefined) return undefined
  return Result.getSuccess(Base64Url.decodeString(payload)).pipe(
    Option.flatMap(Schema.decodeUnknownOption(Claims)),
    Option.getOrUndefined
  )
}
