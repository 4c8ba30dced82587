import * as Result from "effect/Result"
import { CallerRefused } from "./CallerRefused.ts"
import type { Caller, InboundRequest } from "./Callers.ts"
import type { TokenClaims } from "./jwt/Claims.ts"

/** What an issuer's tokens must have. */
export interface Admission {
  /** Default: the URL of what is asked. */
  readonly audience?: string | undefined
  readonly requiredScopes?: ReadonlyArray<string> | undefined
}

/** What depends on what is asked, and so is looked at for each request, however often the token was seen before. */
export const admitCaller = (
  { caller, claims }: { readonly caller: Caller; readonly claims: TokenClaims },
  request: InboundRequest,
  { audience = request.resource, requiredScopes = [] }: Admission,
  invalid: (problem: string) => CallerRefused
): Result.Result<Caller, CallerRefused> => {
  if (!claims.audiences.includes(audience))
    return Result.fail(invalid(`The token is for another server: its \`aud\` must be ${audience}`))
  if (
    claims.certificateThumbprint !== undefined &&
    claims.certificateThumbprint !== request.certificate?.thumbprint
  )
    return Result.fail(invalid("The token is bound to a client certificate, which this connection has not"))
  if (requiredScopes.every((scope) => claims.scopes.includes(scope))) return Result.succeed(caller)
  const scope = requiredScopes.join(" ")
  return Result.fail(
    new CallerRefused({
      reason: "InsufficientScope",
      problem: `The token lacks a scope: it must have ${scope}`,
      scope
    })
  )
}
