import { asksForMoreScope, AuthorizationRequired, OAuthToken, StepUpExhausted } from "@secure-mcp/oauth-core"
import type { GrantRequest } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { GrantTarget } from "../resolution/GrantTarget.ts"
import { scopeNames, unionScope } from "../resolution/Scope.ts"

/** The scope a client asks for on its own behalf. */
export interface MachineScope {
  readonly scope: string | undefined
  /** Puts down in the token what was asked for beyond the configuration, so that a renewal asks for it again. */
  readonly remember: (token: OAuthToken) => OAuthToken
}

/**
 * What to ask for when no person has to consent: what is configured and what the MCP server wanted before, and
 * after a 403 with `insufficient_scope` that challenge's scope and what was granted as well.
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

/** How often a person is asked for the same scope. */
const maxConsents = 3
const remembered = Duration.hours(1)
const capacity = 1000

/** Counts how often people consented to more scope, for servers that ask for the same again and again. */
export class StepUps extends Context.Service<
  StepUps,
  {
    /** Always fails: a person has to consent to what was granted and what is wanted together, or did so in vain. */
    readonly require: (
      request: GrantRequest,
      previous: OAuthToken | undefined
    ) => Effect.Effect<never, AuthorizationRequired | StepUpExhausted>
    /** A person consented to what a request asked for. */
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
