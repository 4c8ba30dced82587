import { asksForMoreScope, AuthorizationRequired, OAuthToken, StepUpExhausted } from "@secure-mcp/oauth-core"
import type { GrantRequest } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { GrantTarget } from "../resolution/GrantTarget.ts"
import { scopeNames, unionScope } from "../resolution/Scope.ts"

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

/** How often a person is asked to consent to the same scope within {@link remembered}. */
const maxConsents = 3
const remembered = Duration.hours(1)
const capacity = 1000

/** Counts how often a person consented to more scope, to stop at a server that asks for the same again and again. */
export class StepUps extends Context.Service<
  StepUps,
  {
    /** Always fails: a person has to consent to the granted and the wanted scope together, or has done so too often. */
    readonly require: (
      request: GrantRequest,
      previous: OAuthToken | undefined
    ) => Effect.Effect<never, AuthorizationRequired | StepUpExhausted>
    /** Counts that a person consented to the scope of a request. */
    readonly consented: (request: GrantRequest) => Effect.Effect<void>
  }
>()("@secure-mcp/oauth-flows/StepUps") {
  static readonly layer: Layer.Layer<StepUps> = Layer.sync(StepUps, () => make())
}

const make = (): StepUps["Service"] => {
  const consents = new Map<string, { readonly count: number; readonly last: number }>()

  const countOf = (id: string, now: number): number => {
    const known = consents.get(id)
    return known === undefined || now - known.last > Duration.toMillis(remembered) ? 0 : known.count
  }

  return {
    require: Effect.fnUntraced(function* (request, previous) {
      const scope = unionScope(previous?.scope, request.challenge?.scope)
      const attempts = countOf(idOf(request, scope), yield* Clock.currentTimeMillis)
      if (attempts >= maxConsents) {
        return yield* new StepUpExhausted({ attempts, ...(scope === undefined ? {} : { scope }) })
      }
      return yield* new AuthorizationRequired({ challenge: { ...request.challenge, scope } })
    }),

    consented: Effect.fnUntraced(function* (request) {
      if (!asksForMoreScope(request.challenge)) return
      const id = idOf(request, request.challenge?.scope)
      const now = yield* Clock.currentTimeMillis
      const count = countOf(id, now) + 1
      consents.delete(id)
      consents.set(id, { count, last: now })
      const [oldest] = consents.keys()
      if (consents.size > capacity && oldest !== undefined) consents.delete(oldest)
    })
  }
}

const idOf = (request: GrantRequest, scope: string | undefined): string =>
  JSON.stringify([
    request.projectId ?? null,
    request.configId ?? null,
    request.serverName,
    request.subject ?? null,
    scopeNames(scope).toSorted()
  ])
