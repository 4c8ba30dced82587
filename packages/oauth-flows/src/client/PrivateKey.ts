import { Misconfigured } from "@secure-mcp/oauth-core"
import type { OAuthConfig } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from "node:crypto"

type Algorithm = NonNullable<OAuthConfig["privateKeyAlg"]>

/** The key of `private_key_jwt`, ready to sign with. */
export interface PrivateKey {
  readonly key: KeyObject
  readonly algorithm: Algorithm
  readonly keyId: string | undefined
}

/** Reads the configured key. */
export const readPrivateKey = (config: OAuthConfig): Effect.Effect<PrivateKey, Misconfigured> =>
  Effect.fromResult(Result.mapError(parse(config), (problem) => new Misconfigured({ problem })))

/** Reads the configured key, and parses it once for each configuration instead of for each request. */
export const makePrivateKeyReader = (): ((
  config: OAuthConfig
) => Effect.Effect<PrivateKey, Misconfigured>) => {
  const parsed = new WeakMap<OAuthConfig, Effect.Effect<PrivateKey, Misconfigured>>()
  return (config) => {
    const known = parsed.get(config)
    if (known !== undefined) return known
    const key = readPrivateKey(config)
    parsed.set(config, key)
    return key
  }
}

/** Its public half as a JWK set (RFC 7517 §5), for a server we register at. */
export const publicKeySet = ({ algorithm, key, keyId }: PrivateKey) => ({
  keys: [
    {
      ...createPublicKey(key).export({ format: "jwk" }),
      alg: algorithm,
      use: "sig",
      ...(keyId === undefined ? {} : { kid: keyId })
    }
  ]
})

const parse = (config: OAuthConfig): Result.Result<PrivateKey, string> => {
  if (config.privateKey === undefined) return Result.fail("`private_key` is not configured")
  const text = Redacted.value(config.privateKey).trim()
  return Result.gen(function* () {
    const jwk = text.startsWith("{") ? yield* parseJwk(text) : undefined
    const key = yield* importKey(jwk ?? text)
    const algorithm = yield* algorithmFor(key, config.privateKeyAlg)
    const kid = jwk?.["kid"]
    return { key, algorithm, keyId: config.privateKeyId ?? (typeof kid === "string" ? kid : undefined) }
  })
}

// What a parser says of a key may quote it.
const unusable = "`private_key` is not a private key as PEM (PKCS#8) or JWK"

const parseJwk = (text: string) =>
  Result.try({ try: (): JsonWebKey => JSON.parse(text) as JsonWebKey, catch: () => unusable })

const importKey = (key: string | JsonWebKey) =>
  Result.try({
    try: () => createPrivateKey(typeof key === "string" ? key : { key, format: "jwk" }),
    catch: () => unusable
  })

/** RFC 7518 §3.1, RFC 8037 §3.1 */
const algorithmFor = (key: KeyObject, wanted: Algorithm | undefined): Result.Result<Algorithm, string> => {
  const fitting = fittingAlgorithm(key)
  if (fitting === undefined) {
    return Result.fail("`private_key` must be an RSA key of 2048 bits or more, a P-256 key or an Ed25519 key")
  }
  return wanted === undefined || wanted === fitting
    ? Result.succeed(fitting)
    : Result.fail(`\`private_key\` is a key for ${fitting}, not for ${wanted} (\`private_key_alg\`)`)
}

const fittingAlgorithm = ({ asymmetricKeyDetails, asymmetricKeyType }: KeyObject): Algorithm | undefined => {
  if (asymmetricKeyType === "ed25519") return "EdDSA"
  if (asymmetricKeyType === "rsa" && (asymmetricKeyDetails?.modulusLength ?? 0) >= 2048) return "RS256"
  if (asymmetricKeyType === "ec" && asymmetricKeyDetails?.namedCurve === "prime256v1") return "ES256"
  return undefined
}
