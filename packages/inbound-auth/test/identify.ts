import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { type Caller, Callers, type CallerRefused, type InboundRequest } from "../src/index.ts"
import { resource } from "./TestIssuer.ts"

/** The caller of a request, however long it takes to find out. */
export const identify = (
  request: Partial<InboundRequest>
): Effect.Effect<Result.Result<Caller, CallerRefused>, never, Callers> =>
  Effect.result(Callers.callerOf({ authorization: undefined, resource, ...request }))

export const withToken = (token: string, request: Partial<InboundRequest> = {}) =>
  identify({ authorization: `Bearer ${token}`, ...request })

/** Why a request is refused; "accepted" if it is not. */
export const reasonOf = (found: Result.Result<Caller, CallerRefused>): string =>
  Result.isSuccess(found) ? "accepted" : `${found.failure.reason}: ${found.failure.message}`
