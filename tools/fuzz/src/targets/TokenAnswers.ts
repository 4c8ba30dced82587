import { isPersonalGrant, OAuthToken, type GrantRequest } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { HttpAnswer, httpAnswers } from "../input/HttpAnswers.ts"
import { jsonBytes, objectOf } from "../input/JsonTexts.ts"
import { secretNamed } from "../input/Secrets.ts"
import { Broken, type Target } from "../run/Target.ts"
import { makeGrants, requestFor } from "../servers/Flows.ts"
import { scriptedHttp } from "../servers/ScriptedHttp.ts"
import { inVirtualTime } from "../servers/VirtualTime.ts"

const sent = {
  clientSecret: secretNamed("client-secret"),
  refreshToken: secretNamed("refresh-token"),
  assertion: secretNamed("assertion"),
  subjectToken: secretNamed("subject-token")
}
const granted = {
  accessToken: secretNamed("granted-access-token"),
  refreshToken: secretNamed("granted-refresh-token"),
  deviceCode: secretNamed("device-code")
}

const client = { client_id: "gateway", client_secret: sent.clientSecret }
const endpoints = {
  token_url: "https://auth.example/token",
  revocation_url: "https://auth.example/revoke"
}

/** A configuration of each grant. */
const grants = {
  client_credentials: { ...client, ...endpoints, scope: "mcp:read mcp:write" },
  authorization_code: {
    ...client,
    ...endpoints,
    grant_type: "authorization_code",
    authorization_url: "https://auth.example/authorize"
  },
  device_code: {
    ...client,
    ...endpoints,
    grant_type: "device_code",
    device_authorization_url: "https://auth.example/device"
  },
  jwt_bearer: {
    ...client,
    ...endpoints,
    grant_type: "jwt_bearer",
    assertion: `eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.${sent.assertion}`
  },
  token_exchange: {
    ...client,
    ...endpoints,
    grant_type: "token_exchange",
    subject_token: sent.subjectToken,
    subject_token_type: "urn:ietf:params:oauth:token-type:access_token"
  }
} as const

type Grant = keyof typeof grants
const grantNames = [
  "client_credentials",
  "authorization_code",
  "device_code",
  "jwt_bearer",
  "token_exchange"
] as const

const Input = Schema.Struct({
  grant: Schema.Literals(grantNames),
  /** Of the first request, the second and so on; the last one is that of all others, too. */
  answers: Schema.NonEmptyArray(HttpAnswer)
})

const secrets = Object.values({ ...sent, ...granted })

/** What a server is sent with each grant, so that it may send it back. */
const sentWith: Record<Grant, ReadonlyArray<string>> = {
  client_credentials: [sent.clientSecret],
  authorization_code: [sent.clientSecret, sent.refreshToken],
  device_code: [sent.clientSecret],
  jwt_bearer: [sent.clientSecret, sent.assertion],
  token_exchange: [sent.clientSecret, sent.subjectToken]
}

const success = (echoed: ReadonlyArray<string>) =>
  objectOf(
    {
      access_token: fc.constantFrom(granted.accessToken, granted.accessToken, "opaque"),
      token_type: fc.constantFrom("Bearer", "bearer", "DPoP", "N_A"),
      expires_in: fc.oneof(fc.integer(), fc.double(), fc.constantFrom("3600", 3600, 0)),
      refresh_token: fc.constantFrom(granted.refreshToken, ""),
      scope: fc.constantFrom("mcp:read", "mcp:write mcp:read", "", " ", "admin"),
      issued_token_type: fc.constantFrom("urn:ietf:params:oauth:token-type:access_token", "x"),
      device_code: fc.constant(granted.deviceCode),
      user_code: fc.constantFrom("ABCD-EFGH", ""),
      verification_uri: fc.constantFrom(
        "https://auth.example/device",
        "http://auth.example",
        "javascript:alert(1)"
      ),
      verification_uri_complete: fc.constantFrom("https://auth.example/device?code=ABCD", "mailto:x"),
      interval: fc.oneof(fc.integer(), fc.constantFrom(0, 5, 1e300))
    },
    echoed
  )

const failure = (echoed: ReadonlyArray<string>) =>
  objectOf(
    {
      error: fc.constantFrom(
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "slow_down",
        "authorization_pending",
        "access_denied",
        "expired_token",
        "temporarily_unavailable",
        "use_dpop_nonce"
      ),
      error_description: fc.constantFrom("no", "The token expired", "AADSTS50173: x"),
      error_uri: fc.constantFrom("https://auth.example/help", "x"),
      error_codes: fc.constantFrom([50_173]),
      suberror: fc.constantFrom("bad_token"),
      interval: fc.integer()
    },
    echoed
  )

const inputOf = (grant: Grant): fc.Arbitrary<typeof Input.Type> => {
  const echoed = sentWith[grant]
  const answer = httpAnswers(jsonBytes(fc.oneof(success(echoed), failure(echoed)), echoed), {
    contentTypes: [
      "application/json",
      "application/json;charset=utf-8",
      "text/html",
      "application/x-www-form-urlencoded"
    ],
    secrets: echoed
  })
  return fc
    .tuple(answer, fc.array(answer, { maxLength: 2 }))
    .map(([first, others]) => ({ grant, answers: [first, ...others] as const }))
}

/** Answers of token endpoints, revocation endpoints and device authorization endpoints (RFC 6749, RFC 7009, RFC 8628). */
export const tokenAnswers: Target<typeof Input.Type> = {
  name: "token-answers",
  input: Input,
  secrets,
  inputs: fc.oneof(...grantNames.map(inputOf)),
  open: Effect.succeed(({ answers, grant }) =>
    Effect.gen(function* () {
      const http = scriptedHttp((_, count) => answers[Math.min(count, answers.length - 1)])
      const outcome = yield* inVirtualTime(Effect.scoped(useGrant(http.client, grant)))
      if (http.urls.length > mostRequests)
        return yield* new Broken({ problem: `no storm: ${http.urls.length} requests were sent` })
      return [outcome, http.urls]
    })
  )
}

/** Of a refresh, a grant and a revocation with their repetitions in an hour; a device is polled every five seconds. */
const mostRequests = 1000

const useGrant = Effect.fnUntraced(function* (httpClient: Parameters<typeof makeGrants>[0], grant: Grant) {
  const service = yield* makeGrants(httpClient)
  const request = requestFor(grants[grant])
  const kept: Array<OAuthToken> = []
  const keep = (_: GrantRequest, token: OAuthToken) => Effect.sync(() => void kept.push(token))
  const acquired = yield* Effect.result(
    grant === "device_code"
      ? Effect.flatMap(service.authorizeDevice(request, keep), ({ token }) => token)
      : service.acquire(request, isPersonalGrant(grant) ? previous : undefined, keep)
  )
  if (Result.isFailure(acquired)) return [acquired, kept]
  const token = acquired.success
  if (!/^[\x21-\x7e]+$/.test(Redacted.value(token.accessToken)))
    return yield* new Broken({ problem: "a usable token: it got one that cannot stand in a header" })
  return [acquired, kept, yield* Effect.result(service.revoke(request, token))]
})

const previous = OAuthToken.make({
  accessToken: Redacted.make("an-earlier-token"),
  tokenType: "Bearer",
  refreshToken: Redacted.make(sent.refreshToken),
  issuedAt: 0,
  expiresAt: 1,
  reusable: true
})
