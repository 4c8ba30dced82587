import * as Effect from "effect/Effect"
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from "jose"
import { serveRaw } from "../http/RawHttp.ts"

/** What the gateway is called from outside. */
export const publicUrl = "https://gw.example.com"

/** The login of a company: an issuer of JWT access tokens, with its metadata and keys, over real HTTP. */
export const startCompany = Effect.gen(function* () {
  const asked: Array<string> = []
  const state = { isAway: false, kid: "first", keys: new Map<string, CryptoKey>() }
  const publish = async (kid: string) => {
    const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true })
    state.keys.set(kid, privateKey)
    published.push({ ...(await exportJWK(publicKey)), kid, alg: "ES256", use: "sig" })
    state.kid = kid
  }
  const published: Array<object> = []
  yield* Effect.promise(() => publish("first"))
  const { url } = yield* serveRaw((request, response) => {
    const path = request.url ?? ""
    asked.push(path)
    const answers: Readonly<Record<string, object>> = {
      "/.well-known/openid-configuration": { issuer: issuer(), jwks_uri: `${issuer()}/keys` },
      "/keys": { keys: published }
    }
    const answer = answers[path]
    if (state.isAway || answer === undefined) return response.writeHead(state.isAway ? 503 : 404).end()
    return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer))
  })
  const issuer = () => new URL(url).origin

  /** A token of a person for a server of the gateway. It lives an hour from the beginning of the test clock. */
  const token = (subject: string, claims: Readonly<Record<string, unknown>> = {}, serverName = "a") =>
    Effect.promise(() => {
      const key = state.keys.get(state.kid)
      if (key === undefined) throw new Error("There is no key")
      return new SignJWT({
        iss: issuer(),
        sub: subject,
        aud: `${publicUrl}/servers/${serverName}/mcp`,
        scope: "mcp",
        iat: 0,
        exp: 3600,
        ...claims
      })
        .setProtectedHeader({ alg: "ES256", kid: state.kid, typ: "at+jwt" })
        .sign(key)
    })

  /** The `gateway` object that accepts these tokens. */
  const gateway = (more: object = {}, jwt: object = {}) => ({
    public_url: publicUrl,
    callers: { jwt: [{ issuer: issuer(), required_scopes: ["mcp"], ...jwt }] },
    ...more
  })

  return {
    asked,
    gateway,
    issuer: issuer(),
    rotate: (kid: string) => Effect.promise(() => publish(kid)),
    state,
    token
  }
})

export type Company = Effect.Success<typeof startCompany>

/** The header of a request with a token. */
export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
