import * as Effect from "effect/Effect"
import * as oauth from "oauth4webapi"
import { accepted, refused, type Verdict } from "./Verdict.ts"

/** The authorization server of every row. */
export const issuer = "https://as.example.com"

/** Makes the same answer anew for each request. */
export type MakeResponse = () => Response

const server: oauth.AuthorizationServer = {
  issuer,
  token_endpoint: `${issuer}/token`,
  device_authorization_endpoint: `${issuer}/device`,
  revocation_endpoint: `${issuer}/revoke`
}
const client: oauth.Client = { client_id: "gateway" }
const authentication = oauth.ClientSecretBasic("the-client-secret")

/** Whatever oauth4webapi throws is its refusal. */
const verdictOf = (judge: () => Promise<Verdict>): Effect.Effect<Verdict> =>
  Effect.orElseSucceed(Effect.tryPromise(judge), () => refused)

const answeredBy = (respond: MakeResponse) => ({ [oauth.customFetch]: () => Promise.resolve(respond()) })

const readToken = (answer: oauth.TokenEndpointResponse): Verdict =>
  accepted({
    accessToken: answer.access_token,
    lifetime: answer.expires_in,
    scope: answer.scope,
    refreshToken: answer.refresh_token
  })

const requestToken = async (from: oauth.AuthorizationServer, respond: MakeResponse) =>
  oauth.processClientCredentialsResponse(
    from,
    client,
    await oauth.clientCredentialsGrantRequest(from, client, authentication, {}, answeredBy(respond))
  )

/** Reads a token answer (RFC 6749 §5). */
export const judgeToken = (respond: MakeResponse) =>
  verdictOf(async () => readToken(await requestToken(server, respond)))

/** Reads an answer of the device authorization endpoint (RFC 8628 §3.2). */
export const judgeDevice = (respond: MakeResponse) =>
  verdictOf(async () => {
    const response = await oauth.deviceAuthorizationRequest(
      server,
      client,
      authentication,
      {},
      answeredBy(respond)
    )
    const answer = await oauth.processDeviceAuthorizationResponse(server, client, response)
    return accepted({
      userCode: answer.user_code,
      verificationUri: answer.verification_uri,
      expiresIn: answer.expires_in
    })
  })

/** Reads an answer of the revocation endpoint (RFC 7009 §2.2). */
export const judgeRevocation = (respond: MakeResponse) =>
  verdictOf(async () => {
    const response = await oauth.revocationRequest(
      server,
      client,
      authentication,
      "a-token",
      answeredBy(respond)
    )
    await oauth.processRevocationResponse(response)
    return accepted()
  })

/** Checks what came back to the redirect URI (RFC 6749 §4.1.2, RFC 9207). */
export const judgeCallback = (parameters: URLSearchParams, state: string, promisesIssuer: boolean) =>
  verdictOf(async () => {
    const promising = { ...server, authorization_response_iss_parameter_supported: promisesIssuer }
    const checked = oauth.validateAuthResponse(promising, client, parameters, state)
    return accepted({ code: checked.get("code") ?? undefined })
  })

/** Reads metadata (RFC 8414 §3.3) and gets a token from the endpoint that it names. */
export const judgeMetadata = (respond: MakeResponse, token: MakeResponse) =>
  verdictOf(async () => {
    const expected = new URL(issuer)
    const found = await oauth.processDiscoveryResponse(
      expected,
      await oauth.discoveryRequest(expected, { algorithm: "oauth2", ...answeredBy(respond) })
    )
    await requestToken(found, token)
    return accepted({ tokenEndpoint: found.token_endpoint })
  })

/** Reads `WWW-Authenticate` of a resource server (RFC 6750 §3, RFC 9728 §5.1). */
export const judgeChallenge = (header: string) =>
  verdictOf(async () => {
    const respond = () => new Response(null, { status: 401, headers: { "www-authenticate": header } })
    const request = oauth.protectedResourceRequest(
      "a-token",
      "GET",
      new URL("https://mcp.example.com/mcp"),
      undefined,
      undefined,
      answeredBy(respond)
    )
    const error: unknown = await request.then(
      () => undefined,
      (error: unknown) => error
    )
    const challenges = error instanceof oauth.WWWAuthenticateChallengeError ? error.cause : []
    const bearer = challenges.find(({ scheme }) => scheme === "bearer")
    return bearer === undefined
      ? refused
      : accepted({
          error: bearer.parameters.error,
          scope: bearer.parameters.scope,
          resourceMetadata: bearer.parameters["resource_metadata"]
        })
  })
