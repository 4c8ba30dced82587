import { DiscoveryFailed } from "@secure-mcp/oauth-core"
import type { OAuthConfig } from "@secure-mcp/oauth-core"
import * as Digest from "effect/crypto/Digest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Redacted from "effect/Redacted"
import type { AuthorizationServerMetadata } from "../discovery/AuthorizationServerMetadata.ts"

/** Binds an authorization code to the request it answers (RFC 7636 §4). */
export interface Pkce {
  readonly verifier: Redacted.Redacted
  readonly challenge: string
  readonly method: "S256" | "plain"
}

/**
 * Makes a code verifier and its challenge; undefined if the configuration switches PKCE off, which is possible for
 * version 2.0 with every endpoint configured.
 *
 * @param metadata of the server, which must list S256 if there is any
 */
export const makePkce = Effect.fn("Pkce.makePkce")(function* (
  config: OAuthConfig,
  metadata: AuthorizationServerMetadata | undefined
): Effect.fn.Return<Pkce | undefined, DiscoveryFailed, Digest.Digest | SecureRandom.SecureRandom> {
  const method = yield* pkceMethod(config, metadata)
  if (method === undefined) return undefined
  const verifier = config.codeVerifier ?? (yield* newVerifier)
  return { verifier, challenge: config.codeChallenge ?? (yield* challengeOf(verifier, method)), method }
})

/** The method of a login's code challenge. Parameters and result as in `makePkce`. */
export const pkceMethod = (
  config: OAuthConfig,
  metadata: AuthorizationServerMetadata | undefined
): Effect.Effect<Pkce["method"] | undefined, DiscoveryFailed> => {
  if (metadata === undefined) {
    const isOff = config.version === "2.0" && !config.usePkce
    return Effect.succeed(isOff ? undefined : config.version === "2.0" ? config.codeChallengeMethod : "S256")
  }
  return metadata.codeChallengeMethodsSupported?.includes("S256") === true
    ? Effect.succeed("S256")
    : Effect.fail(
        new DiscoveryFailed({
          url: metadata.issuer,
          problem:
            "the metadata of the authorization server does not list S256 in `code_challenge_methods_supported` (RFC 9700 " +
            "§2.1.1). If the server supports it all the same, configure `authorization_url` and `token_url` with `use_pkce`"
        })
      )
}

/** 256 bits, which are 43 characters (RFC 7636 §4.1). */
const newVerifier = Effect.gen(function* () {
  const random = yield* SecureRandom.SecureRandom
  return Redacted.make(Base64Url.encode(yield* random.randomBytes(32)))
})

/** RFC 7636 §4.2 */
const challengeOf = Effect.fnUntraced(function* (verifier: Redacted.Redacted, method: Pkce["method"]) {
  const text = Redacted.value(verifier)
  if (method === "plain") return text
  const digest = yield* Digest.Digest
  return Base64Url.encode(yield* digest.digest(Digest.sha256, new TextEncoder().encode(text)))
})
