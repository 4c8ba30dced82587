import { endpointProblem, InvalidResponse, Misconfigured, OAuthToken } from "@secure-mcp/oauth-core"
import { configuredEndpoint, Flow, requestFields } from "@secure-mcp/oauth-flows"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { SignJWT } from "jose"
import { createPrivateKey } from "node:crypto"

/** A GitHub App exchanges a JWT, signed with its key, for the token of an installation. */
export const githubApp = Flow.make({
  grantType: "github_app",
  keys: {
    api_url: Schema.String,
    app_id: Schema.NonEmptyString,
    installation_id: Schema.String.check(Schema.isPattern(/^\d+$/, { message: "must be a number" })),
    app_private_key: Schema.RedactedFromValue(Schema.NonEmptyString)
  },
  rules: ({ config, keys }) => {
    const message = endpointProblem(keys.api_url, config)
    return message === undefined ? [] : [{ path: ["api_url"], message }]
  },
  acquire: Effect.fnUntraced(function* ({ keys, request }) {
    const issuedAt = yield* Clock.currentTimeMillis
    const jwt = yield* signJwt(keys.app_id, keys.app_private_key, Math.floor(issuedAt / 1000))
    const url = `${keys.api_url.replace(/\/$/, "")}/app/installations/${keys.installation_id}/access_tokens`
    const endpoint = configuredEndpoint("installation token", url)
    const message = HttpClientRequest.post(url).pipe(HttpClientRequest.bearerToken(jwt))
    const answer = yield* requestFields({ request, endpoint, message, secrets: [jwt] })
    const { expires_at: expiresAt, token } = yield* Effect.mapError(
      decodeAnswer(answer),
      () =>
        new InvalidResponse({ endpoint: endpoint.name, problem: "it lacks a `token` or its `expires_at`" })
    )
    return new OAuthToken({
      accessToken: token,
      tokenType: "Bearer",
      issuedAt,
      expiresAt: expiresAt.getTime(),
      reusable: true
    })
  })
})

const decodeAnswer = Schema.decodeUnknownEffect(
  Schema.Struct({ token: Schema.RedactedFromValue(Schema.NonEmptyString), expires_at: Schema.DateFromString })
)

const signJwt = (appId: string, pem: Redacted.Redacted, seconds: number) =>
  Effect.tryPromise({
    try: () =>
      new SignJWT({ iss: appId, iat: seconds - 60, exp: seconds + 540 })
        .setProtectedHeader({ alg: "RS256" })
        .sign(createPrivateKey(Redacted.value(pem))),
    catch: () => new Misconfigured({ problem: "`app_private_key` is not an RSA key as PEM" })
  }).pipe(Effect.map(Redacted.make))
