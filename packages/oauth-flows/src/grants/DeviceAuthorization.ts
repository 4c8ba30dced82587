import { AuthorizationDenied, InvalidResponse, Misconfigured } from "@secure-mcp/oauth-core"
import type { GrantRequest, KeepGrant, OAuthErrorReason, OAuthToken } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import { isFilled, readSuccessFields } from "../endpoint/SuccessResponse.ts"
import type { Endpoint } from "../endpoint/Endpoint.ts"
import { EndpointClient } from "../endpoint/EndpointClient.ts"
import type { FlowServices } from "./Acquire.ts"
import { forgetRefused, requestLoginToken } from "./LoginToken.ts"
import { type GrantTarget, GrantTargets } from "../resolution/GrantTarget.ts"
import type { ResponseFields } from "../endpoint/ResponseBody.ts"
import { checkDemandedScope, writtenScope } from "../resolution/Scope.ts"
import { retryTransient } from "../endpoint/Retry.ts"
import { readSeconds } from "../token/ExpiresIn.ts"

/** An authorization that a person gives on another device. */
export interface DeviceLogin {
  readonly userCode: string
  readonly verificationUri: string
  readonly verificationUriComplete: string | undefined
  /** Seconds. */
  readonly expiresIn: number
  /** Polls until the person has decided or the code has expired. */
  readonly token: Effect.Effect<OAuthToken, OAuthErrorReason, FlowServices>
}

/** Begins an authorization on another device (RFC 8628 §3.1). */
export const authorizeDevice = Effect.fn("DeviceAuthorization.authorizeDevice")(function* (
  request: GrantRequest,
  keep: KeepGrant
): Effect.fn.Return<DeviceLogin, OAuthErrorReason, FlowServices> {
  if (request.config.grantType !== "device_code") {
    return yield* new Misconfigured({ problem: "`grant_type` is not device_code" })
  }
  const { resolve } = yield* GrantTargets
  const begin = Effect.gen(function* () {
    const target = yield* resolve(request, { device: true, fresh: true })
    yield* checkDemandedScope(request, target.scope)
    const endpoint = yield* deviceAuthorizationEndpoint(target)
    const begunAt = yield* Clock.currentTimeMillis
    const code = yield* requestCode(request, target, endpoint).pipe(
      Effect.catchTag("RequestRefused", (refusal) =>
        Effect.flatMap(forgetRefused(target, refusal), (forgotten) =>
          Effect.fail(forgotten ? new ClientForgotten() : refusal)
        )
      )
    )
    yield* Effect.logInfo(`Began an authorization at ${endpoint.name}`)
    return { begunAt, code, target }
  })
  // Nobody has seen a code yet, so it goes on with another client at once. That one is not forgotten again.
  const { begunAt, code, target } = yield* begin.pipe(
    Effect.catchTag("ClientForgotten", () => begin),
    Effect.catchTag("ClientForgotten", () =>
      Effect.fail(
        new Misconfigured({ problem: "the authorization server refuses each client that it registers" })
      )
    )
  )
  const { expiresIn, userCode, verificationUri, verificationUriComplete } = code
  return {
    userCode,
    verificationUri,
    verificationUriComplete,
    expiresIn,
    token: poll(request, target, code, begunAt + expiresIn * 1000, keep)
  }
})

/** The server no longer knows the registered client, which was forgotten. */
class ClientForgotten extends Data.TaggedError("ClientForgotten") {}

/** Where the code for another device is asked for. */
export const deviceAuthorizationEndpoint = ({
  deviceAuthorizationEndpoint: endpoint
}: Pick<GrantTarget, "deviceAuthorizationEndpoint">): Effect.Effect<Endpoint, Misconfigured> =>
  endpoint === undefined
    ? Effect.fail(
        new Misconfigured({
          problem:
            "the authorization server names no device authorization endpoint: configure `device_authorization_url`"
        })
      )
    : Effect.succeed(endpoint)

interface DeviceCode {
  readonly deviceCode: Redacted.Redacted
  readonly userCode: string
  readonly verificationUri: string
  readonly verificationUriComplete: string | undefined
  readonly expiresIn: number
  /** Seconds between two token requests. */
  readonly interval: number
}

const requestCode = Effect.fnUntraced(function* (
  request: GrantRequest,
  { client, resource, scope }: GrantTarget,
  endpoint: Endpoint
) {
  const { audience, organization } = request.config
  const parameters = { scope: writtenScope(scope, request.config), resource, audience, organization }
  const fields = yield* (yield* EndpointClient)
    .post({ request, endpoint, client, parameters }, readSuccessFields(endpoint))
    .pipe(retryTransient)
  const code = readDeviceCode(fields)
  return typeof code === "string"
    ? yield* new InvalidResponse({ endpoint: endpoint.name, problem: code })
    : code
})

/** Seconds. Polling ends then, even if the code lives longer. */
const maxWait = 60 * 60
const defaultInterval = 5

/** RFC 8628 §3.2, or what is wrong with it. */
const readDeviceCode = (fields: ResponseFields): DeviceCode | string => {
  const { device_code: deviceCode, user_code: userCode, verification_uri_complete: complete } = fields
  // Some servers still use the name of a draft.
  const verificationUri = fields["verification_uri"] ?? fields["verification_url"]
  const expiresIn = readSeconds(fields["expires_in"]) ?? 0
  if (!isFilled(deviceCode)) return "it has no `device_code`"
  if (!isFilled(userCode) || !/^[\x20-\x7E]{1,64}$/.test(userCode)) return "it has no `user_code` to show"
  if (!isWebAddress(verificationUri)) return "its `verification_uri` is not a web address"
  if (!(expiresIn > 0)) return "it has no `expires_in`"
  const interval = readSeconds(fields["interval"]) ?? defaultInterval
  return {
    deviceCode: Redacted.make(deviceCode),
    userCode,
    verificationUri,
    verificationUriComplete: isWebAddress(complete) ? complete : undefined,
    expiresIn: Math.min(expiresIn, maxWait),
    interval: interval > 0 && Number.isFinite(interval) ? interval : defaultInterval
  }
}

/** The address is shown to the person, and may be opened in a browser. */
const isWebAddress = (value: unknown): value is string =>
  isFilled(value) && /^[\x21-\x7E]+$/.test(value) && /^https?:$/.test(URL.parse(value)?.protocol ?? "")

/**
 * RFC 8628 §3.4 and §3.5. Only the waiting can be interrupted: after the person has agreed, the next answer holds the
 * token and the code is used up.
 */
const poll = Effect.fn("DeviceAuthorization.poll")(function* (
  request: GrantRequest,
  target: GrantTarget,
  { deviceCode, interval }: DeviceCode,
  endsAt: number,
  keep: KeepGrant
): Effect.fn.Return<OAuthToken, OAuthErrorReason, FlowServices> {
  const nextDelay = yield* Schedule.toStep(pollSchedule(interval))
  const ask = requestLoginToken({
    request,
    target,
    parameters: {
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
      device_code: deviceCode
    },
    scope: target.scope,
    keep
  })
  const askAfter = (delay: Duration.Duration): typeof ask =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      if (now + Duration.toMillis(delay) >= endsAt) return yield* nobodyAgreed
      yield* Effect.interruptible(Effect.sleep(delay))
      return yield* Effect.catch(ask, waitAfter)
    })
  const waitAfter = (reason: OAuthErrorReason): typeof ask =>
    Effect.gen(function* () {
      if (!isPending(reason)) return yield* asDenial(reason)
      const now = yield* Clock.currentTimeMillis
      const step = yield* Effect.orDie(nextDelay(now, reason))
      return yield* askAfter(step[1])
    })
  return yield* askAfter(Duration.seconds(interval))
}, Effect.uninterruptible)

/**
 * The wait before the next request: as before, five seconds more from `slow_down` on, twice as long after a transient
 * failure (RFC 8628 §3.5).
 *
 * @param interval seconds
 */
const pollSchedule = (interval: number): Schedule.Schedule<number, OAuthErrorReason> =>
  Schedule.fromStep(
    Effect.map(
      Ref.make(interval),
      (seconds) => (_now: number, reason: OAuthErrorReason) =>
        Effect.map(
          Ref.updateAndGet(seconds, (last) => intervalAfter(reason, last)),
          (next): [number, Duration.Duration] => [next, Duration.seconds(next)]
        )
    )
  )

const intervalAfter = (reason: OAuthErrorReason, seconds: number): number => {
  if (reason._tag !== "RequestRefused") return seconds * 2
  return reason.error === "slow_down" ? seconds + 5 : seconds
}

const isPending = (reason: OAuthErrorReason): boolean =>
  reason.retryable ||
  (reason._tag === "RequestRefused" &&
    (reason.error === "authorization_pending" || reason.error === "slow_down"))

/** The codes of RFC 8628 §3.5 that end the login, and the one that Microsoft Entra sends for `access_denied`. */
const denials: ReadonlySet<string> = new Set(["access_denied", "authorization_declined", "expired_token"])

const asDenial = (reason: OAuthErrorReason) =>
  reason._tag === "RequestRefused" && reason.error !== undefined && denials.has(reason.error)
    ? Effect.fail(
        new AuthorizationDenied({
          error: reason.error,
          ...(reason.description === undefined ? {} : { description: reason.description })
        })
      )
    : Effect.fail(reason)

const nobodyAgreed = Effect.fail(
  new AuthorizationDenied({ error: "expired_token", description: "Nobody agreed while the code was good" })
)
