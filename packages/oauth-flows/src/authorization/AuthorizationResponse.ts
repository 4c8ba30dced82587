import { AuthorizationDenied, AuthorizationResponseInvalid } from "@secure-mcp/oauth-core"
import type { AuthorizationResponse } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { createHash, timingSafeEqual } from "node:crypto"
import { responseIssuers } from "../discovery/Issuer.ts"
import { describeRefusal } from "../endpoint/ErrorResponse.ts"
import { type PendingAuthorization, PendingAuthorizations } from "./PendingAuthorizations.ts"
import { findShared, takeShared } from "./SharedAuthorizations.ts"
import type { GrantTarget } from "../resolution/GrantTarget.ts"
import { makeSecretMask } from "../mask/SecretMask.ts"

/** An authorization response that belongs to a pending request and comes from the server that was asked. */
export interface GenuineResponse {
  readonly pending: PendingAuthorization
  /** Either the code or the denial is defined. */
  readonly code: Redacted.Redacted | undefined
  readonly denial: AuthorizationDenied | undefined
}

/**
 * Checks an authorization response (RFC 6749 §4.1.2): its `state` is that of a pending request, and its `iss` that of
 * the server the request was sent to (RFC 9207 §2.4). A response that fails changes nothing: the request stays pending
 * for the genuine one. An error that lacks the promised `iss` ends the login, and says so.
 */
export const checkAuthorizationResponse = Effect.fn("AuthorizationResponse.check")(function* (
  response: AuthorizationResponse
) {
  const pendings = yield* PendingAuthorizations
  const fields = yield* readFields(response)
  const state = fields["state"]
  const pending =
    state === undefined ? undefined : ((yield* pendings.find(state)) ?? (yield* findShared(state)))
  if (pending === undefined) {
    return yield* invalid("its `state` belongs to no login that waits, or one that has ended")
  }
  const genuine: GenuineResponse = { pending, ...(yield* judgeFields(fields, pending)) }
  return genuine
})

/** Checks the parameters of a response to a request that is known. */
export const judgeFields = Effect.fnUntraced(function* (
  fields: Fields,
  pending: Pick<PendingAuthorization, "target" | "pkce" | "state">
) {
  const { code, error, iss } = fields
  const problem = iss === undefined ? missingIssuer(pending.target) : wrongIssuer(iss, pending.target)
  // An error without the promised `iss` comes from who knows the `state`, and brings nothing that could be misused.
  const isRemark = iss === undefined && error !== undefined
  if (problem !== undefined && !isRemark) return yield* invalid(problem)
  if (code === undefined && error === undefined) return yield* invalid("it has neither `code` nor `error`")
  return {
    code: code === undefined ? undefined : Redacted.make(code),
    denial: error === undefined ? undefined : denialOf(fields, pending, problem)
  } satisfies Omit<GenuineResponse, "pending">
})

/** Removes the pending request, so that a second response, such as a replay, is refused. */
export const acceptAuthorizationResponse = Effect.fnUntraced(function* ({
  code,
  denial,
  pending
}: GenuineResponse) {
  const pendings = yield* PendingAuthorizations
  const isOurs = yield* pendings.take(pending)
  // Where it is shared, whoever takes it there completes it.
  if (!((yield* takeShared(pending)) ?? isOurs)) return yield* invalid("it was used already")
  if (denial !== undefined || code === undefined) {
    return yield* denial ?? invalid("it has no `code`")
  }
  return code
})

const invalid = (problem: string) => Effect.fail(new AuthorizationResponseInvalid({ problem }))

type Fields = Readonly<Record<string, string>>

/** RFC 6749 §3.1: a parameter must not be included more than once. */
export const readFields = (response: AuthorizationResponse) => {
  const entries = response instanceof URLSearchParams ? [...response] : Object.entries(response)
  const fields: Fields = Object.fromEntries(entries)
  return Object.keys(fields).length === entries.length
    ? Effect.succeed(fields)
    : invalid("it has a parameter twice")
}

const missingIssuer = ({ metadata }: GrantTarget): string | undefined =>
  metadata?.authorizationResponseIssParameterSupported === true
    ? "it lacks the `iss` that the authorization server promises (RFC 9207)"
    : undefined

const wrongIssuer = (
  iss: string,
  { authorizationEndpoint, issuer, metadata }: GrantTarget
): string | undefined => {
  if (issuer === undefined) return undefined
  const accepted = responseIssuers(issuer, metadata?.issuer ?? issuer, authorizationEndpoint?.url)
  return accepted.some((issuer) => isSameText(iss, issuer))
    ? undefined
    : "its `iss` is not the authorization server that was asked (RFC 9207)"
}

/** In constant time. */
export const isSameText = (a: string, b: string): boolean => timingSafeEqual(sha256(a), sha256(b))

const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest()

const denialOf = (
  fields: Fields,
  { pkce, target, state }: Pick<PendingAuthorization, "target" | "pkce" | "state">,
  remark: string | undefined
) => {
  const mask = makeSecretMask(pkce === undefined ? [state] : [state, pkce.verifier])
  const { description, error } = describeRefusal(target.tokenEndpoint.name, mask).fromFields(400, fields)
  return new AuthorizationDenied({
    error: error ?? "an error code that is not well-formed",
    ...(description === undefined ? {} : { description }),
    ...(remark === undefined ? {} : { remark })
  })
}
