import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { createLocalJWKSet, jwtVerify, type JWK, type JWTPayload } from "jose"
import type Provider from "oidc-provider"
import type { TokenStorage } from "./TokenStorage.ts"

/** An introspection response, in the names of RFC 7662 section 2.2. */
export type TokenIntrospection =
  | { readonly active: false }
  | {
      readonly active: true
      readonly client_id: string
      /** The person who granted the token; the client itself in a client credentials grant. */
      readonly sub: string
      /** Space-separated; absent when the token has none. */
      readonly scope?: string
      readonly aud?: string | ReadonlyArray<string>
      /** Seconds since the epoch. */
      readonly exp: number
      /** What the token is bound to; absent for an unbound token (RFC 8705 §3). */
      readonly cnf?: { readonly "x5t#S256": string }
    }

const inactive: TokenIntrospection = { active: false }

/**
 * Introspects any access token of the provider, with the wall clock, which the provider uses.
 */
export const tokenVerifier = (parts: {
  /** The provider of now, because it is another one when its keys change. */
  readonly current: () => { readonly provider: Provider; readonly signingKeys: ReadonlyArray<JWK> }
  readonly storage: TokenStorage
}) => {
  const { current, storage } = parts

  const verifyJwt = (token: string) =>
    Effect.tryPromise(() => {
      const { provider, signingKeys } = current()
      const keys = createLocalJWKSet({ keys: signingKeys.map(({ d: _private, ...publicKey }) => publicKey) })
      return jwtVerify(token, keys, { issuer: provider.issuer, typ: "at+jwt" })
    }).pipe(
      Effect.map(({ payload }) => (storage.isActiveJwt(payload.jti ?? "") ? describeJwt(payload) : inactive)),
      Effect.orElseSucceed(() => inactive)
    )

  const verifyOpaque = (token: string) =>
    Effect.promise(async () => {
      const { provider } = current()
      const found = (await provider.ClientCredentials.find(token)) ?? (await provider.AccessToken.find(token))
      return found?.isValid === true ? describeOpaque(found) : inactive
    })

  return (token: string): Effect.Effect<TokenIntrospection> =>
    token.split(".").length === 3 ? verifyJwt(token) : verifyOpaque(token)
}

/** Lets the JWTs of a provider be verified. */
export const registerJwts = (provider: Provider, storage: TokenStorage): void => {
  const register = (token: { readonly jti: string }) => storage.registerJwt(token.jti)
  provider.on("access_token.issued", register)
  provider.on("client_credentials.issued", register)
}

const describeJwt = (payload: JWTPayload): TokenIntrospection => ({
  active: true,
  client_id: String(payload["client_id"]),
  sub: String(payload.sub),
  ...(typeof payload["scope"] === "string" ? { scope: payload["scope"] } : {}),
  ...(payload.aud === undefined ? {} : { aud: payload.aud }),
  exp: payload.exp ?? 0,
  ...confirmation(payload["cnf"])
})

const describeOpaque = (token: OpaqueToken): TokenIntrospection => ({
  active: true,
  client_id: token.clientId ?? "",
  sub: token.accountId ?? token.clientId ?? "",
  ...(token.scope === undefined ? {} : { scope: token.scope }),
  ...(token.aud === undefined ? {} : { aud: token.aud }),
  exp: token.exp ?? 0,
  ...confirmation(token)
})

const confirmation = (holder: unknown) => (isBound(holder) ? { cnf: { "x5t#S256": holder["x5t#S256"] } } : {})

const isBound = Schema.is(Schema.Struct({ "x5t#S256": Schema.String }))

interface OpaqueToken {
  readonly clientId?: string | undefined
  readonly accountId?: string | undefined
  readonly scope?: string | undefined
  readonly aud?: string | Array<string> | undefined
  readonly exp?: number | undefined
}
