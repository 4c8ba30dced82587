import { AuthorizationDenied, InvalidResponse, Misconfigured, OAuthToken } from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthErrorReason, RequestRefused } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { isFilled, readAnswerFields } from "../endpoint/AnswerFields.ts"
import { forgetUnknown } from "./AuthorizationCode.ts"
import { grantedClient } from "../client/Client.ts"
import type { Endpoint } from "../endpoint/Endpoint.ts"
import { EndpointClient } from "../endpoint/EndpointClient.ts"
import type { FlowServices } from "./Flow.ts"
import { type ResolvedClient, ResolvedClients } from "../resolution/ResolvedClient.ts"
import type { ResponseFields } from "../endpoint/ResponseFields.ts"
import { retryTransient } from "../endpoint/Retry.ts"
import { requestToken } from "../token/TokenRequest.ts"

/** An authorization that waits for a person on another device. */
export interface DeviceLogin {
  readonly userCode: string
  readonly verificationUri: string
  readonly verificationUriComplete: string | undefined
  /** Seconds. */
  readonly expiresIn: number
  /** Asks again and again until the person has decided, or the code has ended. */
  readonly token: Effect.Effect<OAuthToken, OAuthErrorReason, FlowServices>
}

/** Begins an authorization on another device (RFC 8628 §3.1). */
export const authorizeDevice = Effect.fn("DeviceAuthorization.authorizeDevice")(function* (
  request: GrantRequest
): Effect.fn.Return<DeviceLogin, OAuthErrorReason, FlowServices> {
  if (request.config.grantType !== "device_code") {
    return yield* new Misconfigured({ problem: "`grant_type` is not device_code" })
  }
  const resolved = yield* (yield* ResolvedClients).resolve(request, { device: true })
  const endpoint = resolved.deviceAuthorizationEndpoint
  if (endpoint === undefined) {
    return yield* new Misconfigured({
      problem:
        "the authorization server names no device authorization endpoint: configure `device_authorization_url`"
    })
  }
  const begunAt = yield* Clock.currentTimeMillis
  const login = yield* begin(request, resolved, endpoint)
  yield* Effect.logInfo(`Began an authorization at ${endpoint.name}`)
  const { expiresIn, userCode, verificationUri, verificationUriComplete } = login
  return {
    userCode,
    verificationUri,
    verificationUriComplete,
    expiresIn,
    token: poll(request, resolved, login, begunAt + expiresIn * 1000)
  }
})

interface Begun {
  readonly deviceCode: Redacted.Redacted
  readonly userCode: string
  readonly verificationUri: string
  readonly verificationUriComplete: string | undefined
  readonly expiresIn: number
  /** Seconds between two questions. */
  readonly interval: number
}

const begin = Effect.fnUntraced(function* (
  request: GrantRequest,
  { client, resource, scope }: ResolvedClient,
  endpoint: Endpoint
) {
  const { audience, organization } = request.config
  const parameters = { scope, resource, audience, organization }
  const fields = yield* (yield* EndpointClient)
    .post({ request, endpoint, client, parameters }, readAnswerFields(endpoint))
    .pipe(retryTransient)
  const begun = readBegun(fields)
  return typeof begun === "string"
    ? yield* new InvalidResponse({ endpoint: endpoint.name, problem: begun })
    : begun
})

/** A code that lives longer than this, in seconds, is not waited for any longer. */
const longestWait = 60 * 60
const defaultInterval = 5

/** RFC 8628 §3.2, or what is wrong with it. */
const readBegun = (fields: ResponseFields): Begun | string => {
  const { device_code: deviceCode, user_code: userCode, verification_uri_complete: complete } = fields
  // Some servers still have the name of a draft.
  const verificationUri = fields["verification_uri"] ?? fields["verification_url"]
  const expiresIn = Number(fields["expires_in"])
  if (!isFilled(deviceCode)) return "it has no `device_code`"
  if (!isFilled(userCode) || !/^[\x20-\x7E]{1,64}$/.test(userCode)) return "it has no `user_code` to show"
  if (!isWebAddress(verificationUri)) return "its `verification_uri` is not a web address"
  if (!(expiresIn > 0)) return "it has no `expires_in`"
  const interval = Number(fields["interval"] ?? defaultInterval)
  return {
    deviceCode: Redacted.make(deviceCode),
    userCode,
    verificationUri,
    verificationUriComplete: isWebAddress(complete) ? complete : undefined,
    expiresIn: Math.min(expiresIn, longestWait),
    interval: interval > 0 ? interval : defaultInterval
  }
}

/** It is shown, and perhaps opened. */
const isWebAddress = (value: unknown): value is string =>
  isFilled(value) && /^[\x21-\x7E]+$/.test(value) && /^https?:$/.test(URL.parse(value)?.protocol ?? "")

/**
 * RFC 8628 §3.4 and §3.5. Only the waiting can be interrupted: once the person has agreed, the next answer holds the
 * token, and the code is used up.
 */
const poll = Effect.fnUntraced(function* (
  request: GrantRequest,
  resolved: ResolvedClient,
  { deviceCode, interval }: Begun,
  endsAt: number
) {
  const ask = requestToken(
    request,
    resolved,
    {
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
      device_code: deviceCode
    },
    resolved.scope
  )
  let seconds = interval
  while ((yield* Clock.currentTimeMillis) + seconds * 1000 < endsAt) {
    yield* Effect.interruptible(Effect.sleep(Duration.seconds(seconds)))
    const answer = yield* Effect.matchEffect(ask, {
      onSuccess: (token) => Effect.succeed(token),
      onFailure: (reason) => nextInterval(resolved, reason, seconds)
    })
    if (typeof answer !== "number") {
      return new OAuthToken({ ...answer, grantedTo: grantedClient(resolved.client, resolved.issuer) })
    }
    seconds = answer
  }
  return yield* new AuthorizationDenied({
    error: "expired_token",
    description: "Nobody agreed while the code was good"
  })
}, Effect.uninterruptible)

/** How long to wait before the next question, if there is one. */
const nextInterval = (
  resolved: ResolvedClient,
  reason: OAuthErrorReason,
  seconds: number
): Effect.Effect<number, OAuthErrorReason, ResolvedClients> => {
  if (reason._tag === "RequestRefused") return afterRefusal(resolved, reason, seconds)
  // §3.5 asks for an exponential backoff.
  return reason.retryable ? Effect.succeed(seconds * 2) : Effect.fail(reason)
}

const afterRefusal = (
  resolved: ResolvedClient,
  refusal: RequestRefused,
  seconds: number
): Effect.Effect<number, OAuthErrorReason, ResolvedClients> => {
  const { description, error } = refusal
  switch (error) {
    case "authorization_pending":
      return Effect.succeed(seconds)
    case "slow_down":
      return Effect.succeed(seconds + 5)
    case "access_denied":
    case "expired_token":
      return Effect.fail(
        new AuthorizationDenied({ error, ...(description === undefined ? {} : { description }) })
      )
    default:
      return Effect.andThen(forgetUnknown(resolved, error), Effect.fail(refusal))
  }
}
