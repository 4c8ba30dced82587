import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import type { AccessTokenRequest } from "./AccessTokenRequest.ts"
import type { OAuthConfig } from "./config/OAuthConfig.ts"
import { tokenFingerprint } from "./TokenKey.ts"

/** The fingerprints of configurations: needed on every request, they change only with the certificate. */
export const makeFingerprintMemo = Effect.map(Digest.Digest, (digest) => {
  const remembered = new WeakMap<OAuthConfig, Remembered>()
  const known = (
    { config, resourceUrl }: AccessTokenRequest,
    thumbprint: string | undefined
  ): string | undefined => {
    const memo = remembered.get(config)
    return memo?.thumbprint === thumbprint && memo?.resourceUrl === resourceUrl
      ? memo?.fingerprint
      : undefined
  }
  const compute = Effect.fnUntraced(
    function* ({ config, resourceUrl }: AccessTokenRequest, thumbprint: string | undefined) {
      const fingerprint = yield* tokenFingerprint(config, thumbprint, resourceUrl)
      remembered.set(config, { thumbprint, resourceUrl, fingerprint })
      return fingerprint
    },
    Effect.provideService(Digest.Digest, digest)
  )
  return {
    /** Undefined if it has not been computed yet. */
    known,
    get: (request: AccessTokenRequest, thumbprint: string | undefined): Effect.Effect<string> => {
      const fingerprint = known(request, thumbprint)
      return fingerprint === undefined ? compute(request, thumbprint) : Effect.succeed(fingerprint)
    }
  }
})

interface Remembered {
  readonly thumbprint: string | undefined
  readonly resourceUrl: string | undefined
  readonly fingerprint: string
}
