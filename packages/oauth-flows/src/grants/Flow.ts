import { asksForMoreScope, Misconfigured } from "@secure-mcp/oauth-core"
import type {
  ConfigProblem,
  GrantDefinition,
  GrantKeys,
  GrantRequest,
  KeepGrant,
  OAuthConfigFields,
  OAuthErrorReason,
  OAuthToken
} from "@secure-mcp/oauth-core"
import { identified, inSpan } from "@secure-mcp/oauth-core/internal"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { FormParameters } from "../client/ClientAuthentication.ts"
import type { GrantTarget } from "../resolution/GrantTarget.ts"
import { checkDemandedScope, unionScope } from "../resolution/Scope.ts"
import type { Acquire, FlowServices } from "./Acquire.ts"
import { machineGrant } from "./MachineGrant.ts"
import { StepUps } from "./StepUp.ts"

/** How a token is obtained by one grant, and the keys with which that grant is configured. */
export interface Flow extends GrantDefinition {
  readonly acquire: Acquire
}

/** What every definition of a flow says. */
export interface FlowDefinition<Keys extends GrantKeys> {
  /** What selects it in `grant_type`. */
  readonly grantType: string
  /** Its own keys, by their names in the file; `{}` if it has none. A secret is a `Schema.RedactedFromValue`. */
  readonly keys: Keys
  /** What else a configuration must say: a path and an advice for each problem, and no value, which may be a secret. */
  readonly rules?:
    | ((settings: {
        readonly config: OAuthConfigFields
        readonly keys: Schema.Struct.Type<Keys>
      }) => ReadonlyArray<ConfigProblem>)
    | undefined
}

/** What a flow of others is asked for. */
export interface FlowContext<Keys extends GrantKeys> {
  readonly request: GrantRequest
  /** The values of its own keys. */
  readonly keys: Schema.Struct.Type<Keys>
}

/** A flow that does everything itself. */
export interface OwnFlow<Keys extends GrantKeys> extends FlowDefinition<Keys> {
  /** @param context.previous the token to be replaced, if there is one */
  readonly acquire: (
    context: FlowContext<Keys> & {
      readonly previous: OAuthToken | undefined
      readonly keep: KeepGrant
    }
  ) => Effect.Effect<OAuthToken, OAuthErrorReason, FlowServices>
}

/** A flow that sends a token request of RFC 6749 §4.5. */
export interface OwnTokenRequest<Keys extends GrantKeys> extends FlowDefinition<Keys> {
  /**
   * The parameters of the request, `grant_type` included. Scope and client authentication are added. Computed for each
   * attempt.
   */
  readonly parameters: (
    context: FlowContext<Keys> & { readonly target: GrantTarget }
  ) => Effect.Effect<FormParameters, OAuthErrorReason, FlowServices>
}

const make = <const Keys extends GrantKeys>(flow: OwnFlow<Keys>): Flow => {
  const keysOf = keyReader(flow)
  return {
    grantType: flow.grantType,
    keys: flow.keys,
    rules: rulesOf(flow),
    acquire: Effect.fnUntraced(function* (request, previous, keep) {
      const keys = yield* keysOf(request)
      if (asksForMoreScope(request.challenge)) {
        const scope = unionScope(previous?.scope, request.challenge?.scope)
        yield* checkDemandedScope(request, scope)
        yield* (yield* StepUps).requested(request, scope)
      }
      return yield* flow.acquire({ request, keys, previous, keep })
    }, inSpan("Flow.acquire"))
  }
}

const tokenRequest = <const Keys extends GrantKeys>(flow: OwnTokenRequest<Keys>): Flow => {
  const keysOf = keyReader(flow)
  const rules = rulesOf(flow)
  return {
    grantType: flow.grantType,
    keys: flow.keys,
    rules: (config, own) => [...identified(config), ...rules(config, own)],
    acquire: machineGrant((request, target) =>
      Effect.flatMap(keysOf(request), (keys) => flow.parameters({ request, keys, target }))
    )
  }
}

/** The rules see own keys that are valid: what else is wrong with them, their schemas say. */
const rulesOf = <Keys extends GrantKeys>({ keys, rules }: FlowDefinition<Keys>): Flow["rules"] => {
  const decode = Schema.decodeUnknownResult(Schema.Struct(keys))
  return (config, own) =>
    rules === undefined
      ? []
      : Result.match(decode(own), { onFailure: () => [], onSuccess: (keys) => rules({ config, keys }) })
}

const keyReader = <Keys extends GrantKeys>({ grantType, keys }: FlowDefinition<Keys>) => {
  const decode = Schema.decodeUnknownResult(Schema.Struct(keys))
  return ({ config: { grantKeys } }: GrantRequest) =>
    Result.match(decode(grantKeys === undefined ? {} : Redacted.value(grantKeys)), {
      onSuccess: Effect.succeed,
      onFailure: () =>
        Effect.fail(
          new Misconfigured({
            problem: `the keys of \`grant_type\` "${grantType}" were not checked: decode the configuration with this flow among \`grants\``
          })
        )
    })
}

/**
 * Defines a flow for `OAuthFlows.layerWith`, and for the `grants` that a configuration may name.
 */
export const Flow = { make, tokenRequest }
