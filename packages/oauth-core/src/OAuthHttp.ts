import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type { Headers } from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import type { HttpClientError } from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import type * as Result from "effect/Result"
import type { AddressRule } from "./AddressLookup.ts"
import type { OAuthConfig } from "./config/OAuthConfig.ts"
import { CertificateUnusable } from "./errors/OAuthErrorReason.ts"
import type { Proxies } from "./proxy/Proxies.ts"

/** How to talk to the authorization server of one configuration. */
export interface OAuthConnection {
  readonly client: HttpClient.HttpClient
  /**
   * A shorter way over the same connection for a request without a tracer, whose answer is read whole. It keeps what
   * `OAuthHttp` asks for: it follows no redirect, and lets go of the connection when it is interrupted. Default: by
   * `client`.
   */
  readonly exchange?: HttpExchange | undefined
  /** `x5t#S256` (RFC 8705 §3.1) of the client certificate the connection presents, if it presents one: never without `use_mtls`. */
  readonly certificateThumbprint?: string | undefined
  /** Whether a request to this URL goes through a proxy, which then looks up the host. Default: none does. */
  readonly usesProxy?: ((url: string) => boolean) | undefined
}

/** Sends a request whose body is in memory, and reads the answer. */
export type HttpExchange = (
  request: HttpClientRequest,
  reading: AnswerReading
) => Effect.Effect<HttpAnswer, HttpClientError>

/** What is read of an answer. */
export interface AnswerReading {
  /** The greatest length of a body, in bytes. One that is longer is not read on. */
  readonly maxBytes: number
  /** Whether the body is read at all. */
  readonly isRead: (status: number) => boolean
}

/** An answer that has ended. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  /**
   * As it came, with its content codings. Undefined if it was not read, or is too long; a failure if the connection broke
   * before its end.
   */
  readonly body: Result.Result<Uint8Array | undefined, HttpClientError>
}

/** What else the connection to an authorization server depends on. */
export interface ConnectionOptions {
  /** The MCP server, for implementations that publish its certificate to `OAuthEvents`. */
  readonly serverName?: string | undefined
  /** The proxies to go through. */
  readonly proxies?: Proxies | undefined
  /**
   * The addresses that a direct connection may lead to, checked when it is made: what a name led to before does not
   * count. A proxy looks up names itself. Default: any. `OAuthHttp.layer` connects by an `HttpClient`, and cannot check.
   */
  readonly addresses?: AddressRule | undefined
}

/**
 * Port: the HTTP client to use for a configuration. Swap it to change the transport.
 *
 * An implementation must not follow redirects (credentials would travel with them) and must fail rather than
 * leave out a client certificate that the configuration asks for.
 */
export class OAuthHttp extends Context.Service<
  OAuthHttp,
  {
    /** The connection to use now: ask for each request, because a certificate may be replaced meanwhile. */
    readonly connection: (
      config: OAuthConfig,
      options?: ConnectionOptions
    ) => Effect.Effect<OAuthConnection, CertificateUnusable>
  }
>()("@secure-mcp/oauth-core/OAuthHttp") {
  /** One client for every configuration, from the `HttpClient` that is provided. Supports neither certificates nor proxies. */
  static readonly layer: Layer.Layer<OAuthHttp, never, HttpClient.HttpClient> = Layer.effect(
    OAuthHttp,
    Effect.map(HttpClient.HttpClient, (httpClient) => {
      const client = withoutRedirects(httpClient)
      return {
        connection: (config) => {
          const key = config.useMtls
            ? "use_mtls"
            : config.caBundlePath === undefined
              ? undefined
              : "ca_bundle_path"
          return key === undefined
            ? Effect.succeed({ client })
            : Effect.fail(
                new CertificateUnusable({ key, problem: "needs the layer of @secure-mcp/mtls for OAuthHttp" })
              )
        }
      }
    })
  )
}

/** fetch follows redirects unless told not to; the other clients do not follow them in the first place. */
const withoutRedirects = HttpClient.transformResponse(<A, E, R>(response: Effect.Effect<A, E, R>) =>
  Effect.updateContext(response, (context: Context.Context<R>) =>
    Context.add(context, FetchHttpClient.RequestInit, {
      ...Context.getOrUndefined(context, FetchHttpClient.RequestInit),
      redirect: "manual"
    })
  )
)
