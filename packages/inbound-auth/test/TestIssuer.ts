import { AddressLookup, OAuthHttp } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose"

export const issuerUrl = "https://login.example.com"
export const resource = "https://gw.example.com/servers/a/mcp"

/** Signs with a key of an algorithm; the keys of a type are made once. */
export interface TestKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: CryptoKey
  readonly jwk: Readonly<Record<string, unknown>>
}

export const makeKey = async (alg: string, kid: string): Promise<TestKey> => {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } }
}

/** The claims of a token that is right, for the time 0 of the test clock. */
export const rightClaims: JWTPayload = {
  iss: issuerUrl,
  sub: "ada",
  aud: resource,
  scope: "mcp other",
  iat: 0,
  exp: 3600
}

export const sign = (
  key: TestKey,
  claims: Readonly<Record<string, unknown>> = rightClaims,
  header: Readonly<Record<string, unknown>> = {}
): Promise<string> =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "at+jwt", ...header })
    .sign(key.privateKey)

/** What an issuer answers, by path; undefined is a connection that breaks. */
export const makeIssuer = (keys: ReadonlyArray<TestKey | Readonly<Record<string, unknown>>>) => {
  const asked: Array<string> = []
  const state = {
    keys,
    metadata: { issuer: issuerUrl, jwks_uri: `${issuerUrl}/keys` } as Readonly<Record<string, unknown>>,
    metadataPath: "/.well-known/oauth-authorization-server",
    isAway: false,
    introspect: undefined as undefined | ((form: URLSearchParams) => Response),
    token: undefined as undefined | ((form: URLSearchParams) => Promise<Response>)
  }
  const respond = (path: string, body: string): Response | Promise<Response> => {
    if (state.isAway) return new Response(undefined, { status: 503 })
    if (path === state.metadataPath) return Response.json(state.metadata)
    if (path === "/keys")
      return Response.json({ keys: state.keys.map((key) => ("jwk" in key ? key.jwk : key)) })
    if (path === "/introspect" && state.introspect !== undefined)
      return state.introspect(new URLSearchParams(body))
    if (path === "/token" && state.token !== undefined) return state.token(new URLSearchParams(body))
    return new Response("no", { status: 404 })
  }
  const client = HttpClient.make((request, url) =>
    Effect.promise(async () => {
      asked.push(url.pathname)
      const body = request.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : ""
      return HttpClientResponse.fromWeb(request, await respond(url.pathname, body))
    })
  )
  const network = Layer.provide(OAuthHttp.layer, Layer.succeed(HttpClient.HttpClient, client)).pipe(
    Layer.merge(Layer.succeed(AddressLookup, { lookup: () => Effect.succeed(["93.184.215.14"]) }))
  )
  return { asked, state, network, countOf: (path: string) => asked.filter((one) => one === path).length }
}
