import type {
  ClientAuthenticationMethod,
  GrantRequest,
  Misconfigured,
  OAuthConfig,
  OAuthErrorReason,
  OAuthHttp
} from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import { isCallerToken } from "@secure-mcp/oauth-core/internal"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { authenticateClient } from "./client/ClientAuthentication.ts"
import { readPrivateKey } from "./client/PrivateKey.ts"
import { type DiscoveryEvent, DiscoveryTrace, type DocumentKind } from "./discovery/DiscoveryTrace.ts"
import { AddressGuard } from "./endpoint/AddressGuard.ts"
import { type Endpoint, shownUrl } from "./endpoint/Endpoint.ts"
import { EndpointClient } from "./endpoint/EndpointClient.ts"
import { authorizationEndpoint } from "./authorization/AuthorizationCode.ts"
import { deviceAuthorizationEndpoint } from "./grants/DeviceAuthorization.ts"
import { pkceMethod } from "./authorization/Pkce.ts"
import { readSecret } from "./grants/SecretFile.ts"
import type { GrantContext } from "./resolution/ClientIdentity.ts"
import { type GrantPreview, GrantTargets } from "./resolution/GrantTarget.ts"
import { writtenScope } from "./resolution/Scope.ts"

/** A place where discovery looked for a document. */
export interface TriedPlace {
  readonly kind: DocumentKind
  /** Without its query, which may hold a secret. */
  readonly url: string
  /** HTTP; undefined without an answer. */
  readonly status: number | undefined
  readonly isUsed: boolean
  /** Why the document is not used; undefined if it is, or if it was read to confirm another one. */
  readonly problem: string | undefined
}

/** What a person's login needs of an authorization server. */
export interface LoginParts {
  /** Where the person decides: the authorization endpoint, or the one that gives the code for another device. */
  readonly endpoint: Result.Result<string, OAuthErrorReason>
  /** Of the code challenge; undefined if PKCE is off, and for grants without it. */
  readonly pkce: Result.Result<"S256" | "plain" | undefined, OAuthErrorReason>
}

/** The way to a token, as far as it can be seen without asking for one. */
export interface Inspection {
  /** In the order in which they were tried. */
  readonly places: ReadonlyArray<TriedPlace>
  readonly target: Result.Result<GrantPreview, OAuthErrorReason>
  /** The scope as it would be written in the request. */
  readonly scope: string | undefined
  /** How the client would authenticate; undefined where no client is known. A client to be registered has none yet. */
  readonly authentication: Result.Result<ClientAuthenticationMethod, Misconfigured> | undefined
  /** The configuration key of the token that the grant exchanges, if it is one that can be read; undefined without one. */
  readonly assertion: Result.Result<string, Misconfigured> | undefined
  /** Undefined where there is no target, and for grants of the client itself. */
  readonly login: LoginParts | undefined
}

/**
 * Looks at what a grant would do, by the rules of the grant itself: discovers, chooses a client and checks what has to
 * be there. Asks for no token and registers no client.
 */
export class GrantInspection extends Context.Service<
  GrantInspection,
  {
    readonly inspect: (request: GrantRequest, context: GrantContext) => Effect.Effect<Inspection>
    /** The status of a GET without any credential. Fails if there is no answer, or if the address is refused. */
    readonly reach: (endpoint: Endpoint, request: GrantRequest) => Effect.Effect<number, OAuthErrorReason>
  }
>()("@secure-mcp/oauth-flows/GrantInspection") {
  /** @param authTimeout bounds each attempt, from connecting to the last byte of the answer */
  static readonly layer = (authTimeout: Duration.Input): Layer.Layer<GrantInspection, never, OAuthHttp> =>
    Layer.effect(
      GrantInspection,
      Effect.suspend(() => make)
    ).pipe(
      Layer.provide(GrantTargets.layer),
      Layer.provide(EndpointClient.layer(authTimeout)),
      Layer.provide(AddressGuard.layer)
    )
}

const make = Effect.gen(function* () {
  const targets = yield* GrantTargets
  const client = yield* EndpointClient

  const inspect = Effect.fn("GrantInspection.inspect")(function* (
    request: GrantRequest,
    context: GrantContext
  ): Effect.fn.Return<Inspection> {
    const trace = makeTrace()
    const target = yield* targets
      .preview(request, context)
      .pipe(Effect.provideService(DiscoveryTrace, trace), Effect.result)
    const found = Result.getOrUndefined(target)
    return {
      places: trace.places(),
      target,
      scope: writtenScope(found?.scope, request.config),
      authentication: yield* authenticationOf(request.config, found),
      assertion: yield* readAssertion(request.config),
      login: found === undefined ? undefined : yield* loginParts(request, found)
    }
  })

  const reach = Effect.fn("GrantInspection.reach")((endpoint: Endpoint, request: GrantRequest) =>
    client
      .send({ request, endpoint, message: HttpClientRequest.get(endpoint.url), secrets: [] }, ({ status }) =>
        Effect.succeed(status)
      )
      .pipe(
        Effect.catchTag(["RequestRefused", "RedirectRefused", "EndpointUnavailable"], ({ status }) =>
          Effect.succeed(status)
        )
      )
  )

  return GrantInspection.of({ inspect, reach })
})

const loginParts = Effect.fnUntraced(function* (
  { config }: GrantRequest,
  target: GrantPreview
): Effect.fn.Return<LoginParts | undefined> {
  switch (config.grantType) {
    case "authorization_code":
      return {
        endpoint: yield* Effect.result(
          Effect.map(authorizationEndpoint(target), ({ href }) => shownUrl(href))
        ),
        pkce: yield* Effect.result(pkceMethod(config, target.metadata))
      }
    case "device_code":
      return {
        endpoint: yield* Effect.result(
          Effect.map(deviceAuthorizationEndpoint(target), ({ url }) => shownUrl(url))
        ),
        pkce: Result.succeed(undefined)
      }
    default:
      return undefined
  }
})

const authenticationOf = Effect.fnUntraced(function* (config: OAuthConfig, target: GrantPreview | undefined) {
  const plan = target === undefined ? undefined : Result.getOrUndefined(target.client)
  if (plan?._tag !== "Known") return undefined
  return yield* authenticateClient(plan.client, readPrivateKey(config), config.basicEncoding).pipe(
    Effect.as(plan.client.authenticationMethod),
    Effect.result
  )
})

const readAssertion = Effect.fnUntraced(function* (config: OAuthConfig) {
  const sent = assertionOf(config)
  if (sent === undefined) return undefined
  const [key, secret] = sent
  // It comes with each caller.
  if (isCallerToken(secret)) return Result.succeed(key)
  return yield* readSecret(key, secret, {}).pipe(Effect.as(key), Effect.result)
})

const assertionOf = ({ assertion, grantType, identityProvider, subjectToken }: OAuthConfig) => {
  if (grantType === "token_exchange") return ["subject_token", subjectToken] as const
  if (grantType !== "jwt_bearer") return undefined
  return identityProvider === undefined
    ? (["assertion", assertion] as const)
    : (["identity_provider.subject_token", identityProvider.subjectToken] as const)
}

/** Gathers the events of one search: each place once, with what was found last. */
const makeTrace = () => {
  const places = new Map<string, TriedPlace>()
  return {
    note: (event: DiscoveryEvent) =>
      Effect.sync(() => {
        const { kind, url } = event
        const key = JSON.stringify([kind, url])
        const before = places.get(key) ?? {
          kind,
          url: shownUrl(url) + (url.includes("?") ? "?…" : ""),
          status: undefined,
          isUsed: false,
          problem: undefined
        }
        places.set(
          key,
          event._tag === "Answered"
            ? { ...before, status: event.status }
            : { ...before, isUsed: event.problem === undefined, problem: event.problem }
        )
      }),
    places: (): ReadonlyArray<TriedPlace> => [...places.values()]
  }
}
