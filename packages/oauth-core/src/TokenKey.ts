import * as Effect from "effect/Effect"
import * as Digest from "effect/crypto/Digest"
import * as Redacted from "effect/Redacted"
import type { OAuthConfig } from "./OAuthConfig.ts"

/** Whose token it is and what was asked for. Two requests may share a token only if their keys are equal. */
export interface TokenKey {
  readonly projectId: string
  readonly configId: string
  readonly serverName: string
  /** The person the token stands for; absent for the client's own token. */
  readonly subject?: string | undefined
  /** SHA-256, in hex, of everything the token request depends on. */
  readonly fingerprint: string
}

/**
 * The key as one string, for maps and stores. Injective: no choice of names makes two keys look alike
 * (`a:b`, `c` is not `a`, `b:c`).
 */
export const tokenKeyString = (key: TokenKey): string =>
  JSON.stringify([key.projectId, key.configId, key.serverName, key.subject ?? null, key.fingerprint])

/**
 * Fingerprint of everything a token request depends on: endpoint, client, grant, scope, audience, organization,
 * resource, additional parameters and headers, and the certificate it is made with. The client secret is left
 * out, so that rotating a secret does not forget the tokens it obtained.
 *
 * @param certificateThumbprint the `x5t#S256` (RFC 8705 §3.1) of the client certificate presented, if any
 */
export const tokenFingerprint = Effect.fnUntraced(function* (
  config: OAuthConfig,
  certificateThumbprint: string | undefined
) {
  const digest = yield* Digest.Digest
  const askedFor = [
    config.grantType,
    config.tokenUrl ?? null,
    config.authorizationUrl ?? null,
    config.clientId ?? null,
    config.scope ?? null,
    config.audience ?? null,
    config.organization ?? null,
    config.resource ?? null,
    certificateThumbprint ?? null,
    revealSorted(config.additionalParams),
    revealSorted(config.customHeaders)
  ]
  return yield* digest.digestHex(Digest.sha256, new TextEncoder().encode(JSON.stringify(askedFor)))
})

const revealSorted = (record: Readonly<Record<string, Redacted.Redacted<unknown>>>): ReadonlyArray<unknown> =>
  Object.entries(record)
    .map(([name, value]) => [name, Redacted.value(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
