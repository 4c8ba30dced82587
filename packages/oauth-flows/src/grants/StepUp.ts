import { asksForMoreScope, AuthorizationRequired, OAuthToken, StepUpExhausted } from "@secure-mcp/oauth-core"
import type { GrantRequest } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { GrantTarget } from "../resolution/GrantTarget.ts"
import { checkDemandedScope, scopeNames, unionScope } from "../resolution/Scope.ts"

/** The scope that a client requests for itself. */
export interface MachineScope {
  readonly scope: string | undefined
  /** Stores in the token the scope that was requested beyond the configuration, so that a renewal requests it again. */
  readonly remember: (token: OAuthToken) => OAuthToken
}

/**
 * The scope to request when no person has to consent: the configured one and the one of an earlier step-up; after a
 * 403 with `insufficient_scope` also the challenge's scope and the granted one.
 */
export const machineScope = (
  { challenge }: GrantRequest,
  target: GrantTarget,
  previous: OAuthToken | undefined
): MachineScope => {
  if (!asksForMoreScope(challenge) && previous?.stepUpScope === undefined) {
    return { scope: target.scope, remember: (token) => token }
  }
  const granted = asksForMoreScope(challenge) ? previous?.scope : undefined
  const scope = unionScope(target.scope, granted, previous?.stepUpScope, challenge?.scope)
  return {
    scope,
    remember: (token) => (scope === undefined ? token : new OAuthToken({ ...token, stepUpScope: scope }))
  }
}

/** How many authorizations there may be within {@link remembered}, the first included (MCP: Step-Up Authorization Flow). */
const maxAuthorizations = 3
const remembered = Duration.minutes(10)
const capacity = 1000

/**
 * Counts the step-ups of each key, to stop at a server that asks for more scope again and again. A person's are counted
 * whatever the scope is; those of a client, which disturb nobody, only if the server asks for the same scope again.
 */
export class StepUps extends Context.Service<
  StepUps,
  {
    /** Always fails: a person has to consent to the granted and the wanted scope together, or has done so too often. */
    readonly require: (
      request: GrantRequest,
      previous: OAuthToken | undefined
    ) => Effect.Effect<never, AuthorizationRequired | StepUpExhausted>
    /**
     * Whether to refresh the token before a person is asked: it has the wanted scope already, and was not refreshed for
     * that since the last consent.
     */
    readonly refreshesFirst: (
      request: GrantRequest,
      previous: OAuthToken | undefined
    ) => Effect.Effect<boolean>
    /** Counts that a person consented to the scope of a request. */
    readonly consented: (request: GrantRequest) => Effect.Effect<void>
    /** Counts that the client requests more scope for itself. Fails if it has done so too often. */
    readonly requested: (
      request: GrantRequest,
      scope: string | undefined
    ) => Effect.Effect<void, StepUpExhausted>
  }
>()("@secure-mcp/oauth-flows/StepUps") {
  static readonly layer: Layer.Layer<StepUps> = Layer.sync(StepUps, () => make())
}

interface Count {
  readonly stepUps: number
  readonly hasRefreshed: boolean
  /** Milliseconds since the epoch. */
  readonly last: number
}

const make = (): StepUps["Service"] => {
  const counts = new Map<string, Count>()

  const countOf = (id: string, now: number): Count => {
    const known = counts.get(id)
    return known === undefined || now - known.last > Duration.toMillis(remembered)
      ? { stepUps: 0, hasRefreshed: false, last: now }
      : known
  }

  const setCount = (id: string, count: Count) => {
    counts.delete(id)
    counts.set(id, count)
    const [oldest] = counts.keys()
    if (counts.size > capacity && oldest !== undefined) counts.delete(oldest)
  }

  const isExhausted = ({ stepUps }: Count): boolean => stepUps + 1 >= maxAuthorizations

  return {
    require: Effect.fnUntraced(function* (request, previous) {
      const scope = unionScope(previous?.scope, request.challenge?.scope)
      yield* checkDemandedScope(request, scope)
      const count = countOf(ownerOf(request), yield* Clock.currentTimeMillis)
      return yield* isExhausted(count)
        ? exhausted(scope)
        : new AuthorizationRequired({ challenge: { ...request.challenge, scope } })
    }),

    refreshesFirst: Effect.fnUntraced(function* (request, previous) {
      const id = ownerOf(request)
      const now = yield* Clock.currentTimeMillis
      const count = countOf(id, now)
      if (count.hasRefreshed || isExhausted(count) || !hasScope(previous, request.challenge?.scope))
        return false
      setCount(id, { ...count, hasRefreshed: true, last: now })
      return true
    }),

    consented: Effect.fnUntraced(function* (request) {
      if (!asksForMoreScope(request.challenge)) return
      const id = ownerOf(request)
      const now = yield* Clock.currentTimeMillis
      setCount(id, { stepUps: countOf(id, now).stepUps + 1, hasRefreshed: false, last: now })
    }),

    requested: Effect.fnUntraced(function* (request, scope) {
      const id = ownerOf(request, scopeNames(scope).toSorted())
      const now = yield* Clock.currentTimeMillis
      const count = countOf(id, now)
      if (isExhausted(count)) return yield* exhausted(scope)
      setCount(id, { ...count, stepUps: count.stepUps + 1, last: now })
    })
  }
}

const exhausted = (scope: string | undefined) =>
  new StepUpExhausted({ attempts: maxAuthorizations, ...(scope === undefined ? {} : { scope }) })

/** A challenge that names no scope wants another one than the token has. */
const hasScope = (token: OAuthToken | undefined, scope: string | undefined): boolean => {
  const wanted = scopeNames(scope)
  return wanted.length > 0 && wanted.every((name) => token?.scope?.includes(name) === true)
}

const ownerOf = (request: GrantRequest, scope?: ReadonlyArray<string>): string =>
  JSON.stringify([request.projectId, request.configId, request.serverName, request.subject, scope])
