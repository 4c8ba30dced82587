import * as Effect from "effect/Effect"
import { generateKeyPairSync, sign } from "node:crypto"
import { answerJson, bodyOf, listen } from "./LoopbackServer.ts"

/** What a gateway with callers of `startJwtIssuer` is called from outside. */
export const publicUrl = "https://gateway.example.com"

/** The `aud` of tokens for a server of that gateway. */
export const audienceOf = (serverName: string): string => `${publicUrl}/servers/${serverName}/mcp`

export const encode = (part: object | string): string =>
  Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url")

/**
 * An issuer of JWT access tokens, with its metadata and key, and a token endpoint that exchanges a token of NAME for `for-NAME`
 * (RFC 8693).
 */
export const startJwtIssuer = Effect.gen(function* () {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const state = { keyRequests: 0, exchanges: 0 }
  const server = yield* listen((request, response) => {
    const path = request.url ?? ""
    if (path === "/.well-known/oauth-authorization-server")
      return answerJson(response, 200, { issuer: server.url, jwks_uri: `${server.url}/keys` })
    if (path === "/keys") {
      state.keyRequests += 1
      const key = { ...publicKey.export({ format: "jwk" }), kid: "key", alg: "ES256", use: "sig" }
      return answerJson(response, 200, { keys: [key] })
    }
    if (path !== "/token") return answerJson(response, 404, {})
    state.exchanges += 1
    return void bodyOf(request).then(
      (body) => {
        const [, claims = ""] = (new URLSearchParams(body).get("subject_token") ?? "").split(".")
        const { sub } = JSON.parse(Buffer.from(claims, "base64url").toString()) as { sub: string }
        return answerJson(response, 200, {
          access_token: `for-${sub}`,
          issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
          token_type: "Bearer",
          expires_in: 3600
        })
      },
      () => response.destroy()
    )
  })

  /** Claims that are right for a server, of which some may be replaced. */
  const claimsOf = (subject: string, serverName: string, more: object = {}): object => {
    const now = Math.floor(Date.now() / 1000)
    return { iss: server.url, sub: subject, aud: audienceOf(serverName), iat: now, exp: now + 3600, ...more }
  }
  const signed = (claims: object, header: object = {}, key = privateKey): string => {
    const text = `${encode({ alg: "ES256", kid: "key", typ: "at+jwt", ...header })}.${encode(claims)}`
    return `${text}.${sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`
  }
  return {
    url: server.url,
    tokenUrl: `${server.url}/token`,
    publicKey,
    state,
    claimsOf,
    signed,
    /** A token of a person for a server. */
    tokenOf: (subject: string, serverName: string) => signed(claimsOf(subject, serverName))
  }
})

export type JwtIssuer = Effect.Success<typeof startJwtIssuer>
