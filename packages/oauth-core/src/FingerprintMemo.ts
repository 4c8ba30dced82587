import * as Digest from "effect/crypto/Digest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { AccessTokenRequest } from "./AccessTokenRequest.ts"
import type { OAuthConfig } from "./config/OAuthConfig.ts"
import { tokenFingerprint } from "./TokenKey.ts"

/**
 * The fingerprints of configurations: needed on every request, they change only with the certificate. Many who ask for one
 * at once wait for one computation.
 */
export const makeFingerprintMemo = Effect.map(Digest.Digest, (digest) => {
  const memos = new WeakMap<OAuthConfig, Memo>()

  const memoOf = (
    { config, resourceUrl }: AccessTokenRequest,
    thumbprint: string | undefined
  ): Memo | undefined => {
    const memo = memos.get(config)
    return memo !== undefined && memo.thumbprint === thumbprint && memo.resourceUrl === resourceUrl
      ? memo
      : undefined
  }

  const compute = ({ config, resourceUrl }: AccessTokenRequest, thumbprint: string | undefined) => {
    const memo: Memo = { thumbprint, resourceUrl, done: Deferred.makeUnsafe(), fingerprint: undefined }
    memos.set(config, memo)
    return tokenFingerprint(config, thumbprint, resourceUrl).pipe(
      Effect.provideService(Digest.Digest, digest),
      Effect.tap((fingerprint) => Effect.sync(() => (memo.fingerprint = fingerprint))),
      Deferred.into(memo.done),
      Effect.uninterruptible,
      Effect.andThen(Deferred.await(memo.done))
    )
  }

  return {
    /** Undefined if it has not been computed yet. */
    known: (request: AccessTokenRequest, thumbprint: string | undefined): string | undefined =>
      memoOf(request, thumbprint)?.fingerprint,

    get: (request: AccessTokenRequest, thumbprint: string | undefined): Effect.Effect<string> =>
      Effect.suspend(() => {
        const memo = memoOf(request, thumbprint)
        if (memo === undefined) return compute(request, thumbprint)
        return memo.fingerprint === undefined ? Deferred.await(memo.done) : Effect.succeed(memo.fingerprint)
      })
  }
})

interface Memo {
  readonly thumbprint: string | undefined
  readonly resourceUrl: string | undefined
  readonly done: Deferred.Deferred<string>
  fingerprint: string | undefined
}
