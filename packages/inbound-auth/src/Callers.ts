import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { CallerRefused } from "./CallerRefused.ts"

/** Who sent a request. */
export interface Caller {
  /** Who says so: the issuer of the caller's token; undefined for an API key. */
  readonly issuer?: string | undefined
  /** The caller's name at the issuer. Two callers are the same person only if issuer and subject are equal. */
  readonly subject: string | undefined
  /** What the caller's token allows. */
  readonly scopes?: ReadonlyArray<string> | undefined
  /** The groups that the issuer says the caller is in. */
  readonly groups?: ReadonlyArray<string> | undefined
  /** When the caller's token ends, in milliseconds since the epoch; undefined if it does not. */
  readonly expiresAt?: number | undefined
  /** The caller's token, for an exchange on the caller's behalf (RFC 8693). It is for us: it must not be passed on. */
  readonly token?: Redacted.Redacted | undefined
}

/** What a request shows of its sender. */
export interface InboundRequest {
  /** The `Authorization` header; of several, all of them, joined with a comma. */
  readonly authorization: string | undefined
  /** The URL of what is asked, as clients know it (RFC 9728 §1): a token must be for it. */
  readonly resource: string
  /** The client certificate of the connection, if it has one that an authority of ours has signed. */
  readonly certificate?: ClientCertificate | undefined
}

/** What is used of a client certificate. */
export interface ClientCertificate {
  /** The distinguished name of its subject, as the server's TLS library writes it. */
  readonly subject: string
  /** The distinguished name of the authority. */
  readonly issuer: string
  /** The end of its validity, in milliseconds since the epoch. */
  readonly expiresAt: number
  /** `x5t#S256` (RFC 8705 §3.1) */
  readonly thumbprint: string
}

/** The caller, or why there is none: as a value if that is known at once, else what finds it out. */
export type Identification = Result.Result<Caller, CallerRefused> | Effect.Effect<Caller, CallerRefused>

/** One way to tell who a caller is. */
export interface CallerMethod {
  /**
   * Undefined if another way has to decide about this request. Where one decides no other is tried: a bad token never counts
   * as something else.
   */
  readonly identify: (request: InboundRequest) => Identification | undefined
  /** What a request hears about which no way decides. */
  readonly refuse: (request: InboundRequest) => CallerRefused
}

/**
 * Port: who calls. Swap it to identify callers in another way.
 *
 * @example
 * ```ts
 * import { ApiKeys, Callers, JwtBearer } from "@secure-mcp/inbound-auth"
 * import { OAuthHttp } from "@secure-mcp/oauth-core"
 * import * as Effect from "effect/Effect"
 * import * as FetchHttpClient from "effect/http/FetchHttpClient"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * const CallersLive = Callers.layerOf([
 *   Effect.succeed(ApiKeys.method([{ key: Redacted.make("a-key-of-a-machine"), subject: "backup" }])),
 *   JwtBearer.method([{ issuer: "https://login.example.com", requiredScopes: ["mcp"] }])
 * ]).pipe(Layer.provide(OAuthHttp.layer), Layer.provide(FetchHttpClient.layer))
 *
 * export const whoCalls = (authorization: string | undefined) =>
 *   Callers.callerOf({ authorization, resource: "https://mcp.example.com/mcp" }).pipe(
 *     Effect.map(({ subject }) => subject),
 *     Effect.provide(CallersLive)
 *   )
 * ```
 */
export class Callers extends Context.Service<
  Callers,
  {
    /** The caller, or a refusal that says how to become one. */
    readonly identify: (request: InboundRequest) => Identification
  }
>()("@secure-mcp/inbound-auth/Callers") {
  /** The caller, however long it takes to find out. */
  static readonly callerOf = (request: InboundRequest): Effect.Effect<Caller, CallerRefused, Callers> =>
    Effect.flatMap(Callers, ({ identify }) => {
      const found = identify(request)
      return Result.isResult(found) ? Effect.fromResult(found) : found
    })

  /** Several ways, in order: the first one that decides about a request identifies its caller. */
  static readonly layerOf = <E = never, R = never>(
    methods: ReadonlyArray<Effect.Effect<CallerMethod, E, R>>
  ): Layer.Layer<Callers, E, Exclude<R, Scope.Scope>> =>
    Layer.effect(
      Callers,
      Effect.map(Effect.all(methods), (made) => ({ identify: firstThatDecides(made) }))
    )
}

/** Several ways, in order. */
export const firstThatDecides =
  (methods: ReadonlyArray<CallerMethod>): Callers["Service"]["identify"] =>
  (request) => {
    for (const method of methods) {
      const identification = method.identify(request)
      if (identification !== undefined) return identification
    }
    // The last way says best what it wants.
    return Result.fail(methods.at(-1)?.refuse(request) ?? CallerRefused.required("Nobody may call"))
  }
