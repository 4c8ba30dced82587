import { AddressLookup, OAuthToken, parseChallenge } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { makeGrants, requestFor, settle, tokenAnswer } from "../TestGrants.ts"
import { issuer, type MakeResponse } from "./Oracle.ts"
import { accepted, refused, type Verdict } from "./Verdict.ts"

const somewherePublic = Layer.succeed(AddressLookup, { lookup: () => Effect.succeed(["93.184.215.14"]) })

/** Grants whose requests to a path are answered by its entry; any other path is not found. */
const makeGrantsAt = (answers: Readonly<Record<string, MakeResponse>>) => {
  const asked: Array<string> = []
  const client = HttpClient.make((request, url) =>
    Effect.sync(() => {
      asked.push(url.href)
      const respond = answers[url.pathname] ?? (() => new Response(null, { status: 404 }))
      return HttpClientResponse.fromWeb(request, respond())
    })
  )
  const network = Layer.merge(Layer.succeed(HttpClient.HttpClient, client), somewherePublic)
  return Effect.map(makeGrants({ authTimeout: "1 hour" }, network), (grants) => ({ asked, grants }))
}

/** Any typed failure is a refusal; a defect fails the test. */
const verdictOf = <A, E, R>(effect: Effect.Effect<A, E, R>, read: (value: A) => Verdict) =>
  settle(Effect.match(effect, { onSuccess: read, onFailure: () => refused }))

const configured = {
  token_url: `${issuer}/token`,
  device_authorization_url: `${issuer}/device`,
  revocation_url: `${issuer}/revoke`
}

/** Reads a token answer (RFC 6749 §5). */
export const judgeToken = Effect.fnUntraced(function* (respond: MakeResponse) {
  const { grants } = yield* makeGrantsAt({ "/token": respond })
  return yield* verdictOf(grants.acquire(requestFor(configured), undefined), (token) =>
    accepted({
      accessToken: Redacted.value(token.accessToken),
      lifetime: token.expiresAt === undefined ? undefined : (token.expiresAt - token.issuedAt) / 1000,
      scope: token.scope?.join(" "),
      refreshToken: token.refreshToken && Redacted.value(token.refreshToken)
    })
  )
})

/** Reads an answer of the device authorization endpoint (RFC 8628 §3.2). */
export const judgeDevice = Effect.fnUntraced(function* (respond: MakeResponse) {
  const { grants } = yield* makeGrantsAt({ "/device": respond })
  const request = requestFor({ ...configured, grant_type: "device_code" })
  return yield* verdictOf(grants.authorizeDevice(request), ({ expiresIn, userCode, verificationUri }) =>
    accepted({ userCode, verificationUri, expiresIn })
  )
})

/** Reads an answer of the revocation endpoint (RFC 7009 §2.2). */
export const judgeRevocation = Effect.fnUntraced(function* (respond: MakeResponse) {
  const { grants } = yield* makeGrantsAt({ "/revoke": respond })
  const token = new OAuthToken({
    accessToken: Redacted.make("a-token"),
    tokenType: "Bearer",
    issuedAt: 0,
    reusable: true
  })
  return yield* verdictOf(grants.revoke(requestFor(configured), token), () => accepted())
})

const metadata = {
  issuer,
  token_endpoint: `${issuer}/token`,
  authorization_endpoint: `${issuer}/authorize`,
  code_challenge_methods_supported: ["S256"]
}
const metadataPath = "/.well-known/oauth-authorization-server"
const redirectUri = "http://127.0.0.1:8787/oauth/callback"

/** Begins a login, and checks what comes back to the redirect URI (RFC 6749 §4.1.2, RFC 9207). */
export const judgeCallback = Effect.fnUntraced(function* (
  responseTo: (state: string) => URLSearchParams,
  promisesIssuer: boolean
) {
  const { grants } = yield* makeGrantsAt({
    [metadataPath]: () =>
      Response.json({ ...metadata, authorization_response_iss_parameter_supported: promisesIssuer }),
    "/token": () => tokenAnswer()
  })
  const request = requestFor({ grant_type: "authorization_code", issuer, client_secret: undefined })
  const { authorizationUrl } = yield* grants.authorize(request, redirectUri)
  const state = new URL(authorizationUrl).searchParams.get("state") ?? ""
  const parameters = responseTo(state)
  const ours = yield* verdictOf(grants.redeem(parameters), () =>
    accepted({ code: parameters.get("code") ?? undefined })
  )
  return { ours, parameters, state }
})

/** Reads metadata (RFC 8414 §3.3) and gets a token from the endpoint that it names. */
export const judgeMetadata = Effect.fnUntraced(function* (respond: MakeResponse) {
  const { asked, grants } = yield* makeGrantsAt({ [metadataPath]: respond, "/token": () => tokenAnswer() })
  const request = requestFor({ issuer, enforce_https: true })
  return yield* verdictOf(grants.acquire(request, undefined), () => accepted({ tokenEndpoint: asked.at(-1) }))
})

/** Begins a login at a server with this metadata (RFC 8414 §2). */
export const judgeLoginMetadata = Effect.fnUntraced(function* (fields: Readonly<Record<string, unknown>>) {
  const { grants } = yield* makeGrantsAt({ [metadataPath]: () => Response.json({ ...metadata, ...fields }) })
  const request = requestFor({ grant_type: "authorization_code", issuer, client_secret: undefined })
  return yield* verdictOf(grants.authorize(request, redirectUri), () => accepted())
})

/** Reads `WWW-Authenticate` of a resource server (RFC 6750 §3, RFC 9728 §5.1). */
export const judgeChallenge = (header: string): Verdict => {
  const challenge = parseChallenge(header)
  return challenge === undefined ? refused : accepted({ ...challenge })
}
