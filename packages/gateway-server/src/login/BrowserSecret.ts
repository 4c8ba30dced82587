import type { SecureRandom } from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"

/** 256 random bits, base64url, that nobody can guess: for a cookie or a link. */
export const newSecret = (random: SecureRandom["Service"]): Effect.Effect<string> =>
  Effect.map(random.randomBytes(32), (bytes) => Base64Url.encode(bytes))

/** Whether a text can be one of `newSecret`. */
export const isSecret = (text: string): boolean => /^[\w-]{43}$/.test(text)
