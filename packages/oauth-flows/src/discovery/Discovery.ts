import type { GrantRequest, OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Cache from "effect/Cache"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import {
  type AuthorizationServer,
  type AuthorizationServerMetadata,
  findAuthorizationServer
} from "./AuthorizationServerMetadata.ts"
import { shownUrl, withoutQuery } from "../endpoint/Endpoint.ts"
import { EndpointClient } from "../endpoint/EndpointClient.ts"
import { isIssuerOf } from "./Issuer.ts"
import { findOriginServer } from "./OriginServer.ts"
import {
  findProtectedResource,
  type NoResourceMetadata,
  type ProtectedResourceMetadata
} from "./ProtectedResourceMetadata.ts"

/** Short enough to follow a server that moves, and long enough that a login reads each document once. */
const timeToLive = Duration.minutes(5)
/**
 * Of the answer that there is no usable metadata: short enough for somebody who tries again, and long enough that many
 * callers of a server without metadata ask for it once.
 */
const failureTimeToLive = Duration.seconds(3)
/** Documents of each kind. The least recently used one is evicted first. */
const capacity = 1000
/** Characters of all documents of a kind. Above, the oldest is evicted first. */
const longestDocuments = 8 * 1024 * 1024

/**
 * Finds the metadata of an MCP server and of its authorization server. Caches it for five minutes, and that there is none
 * for three seconds.
 */
export class Discovery extends Context.Service<
  Discovery,
  {
    /**
     * @param resourceUrl the URL of the MCP server, as it is configured
     * @param options.fresh reads the document again; the one in the cache is used only if that fails
     */
    readonly protectedResource: (
      resourceUrl: string,
      request: GrantRequest,
      options?: { readonly fresh?: boolean }
    ) => Effect.Effect<ProtectedResourceMetadata, OAuthErrorReason | NoResourceMetadata>
    /** @param issuer as it was configured or discovered */
    readonly authorizationServer: (
      issuer: string,
      request: GrantRequest
    ) => Effect.Effect<AuthorizationServerMetadata, OAuthErrorReason>
    /**
     * The authorization server at the MCP server's own origin, for a server without resource metadata.
     *
     * @param resourceUrl the URL of the MCP server, as it is configured
     */
    readonly originServer: (
      resourceUrl: string,
      request: GrantRequest
    ) => Effect.Effect<AuthorizationServer, OAuthErrorReason>
  }
>()("@secure-mcp/oauth-flows/Discovery") {
  static readonly layer: Layer.Layer<Discovery, never, EndpointClient> = Layer.effect(
    Discovery,
    Effect.suspend(() => make)
  )
}

const make = Effect.gen(function* () {
  const protectedResources = yield* cacheOf(findProtectedResource)
  const authorizationServers = yield* cacheOf(findAuthorizationServer)
  const originServers = yield* cacheOf(findOriginServer)
  const warnOnce = makeWarnOnce()

  const warnOfOtherIssuer = (asked: string, own: string) =>
    isIssuerOf(asked, own)
      ? Effect.void
      : warnOnce(
          `The metadata of the authorization server ${shownUrl(asked)} calls it ${shownUrl(own)}; it is used all the ` +
            "same (`issuer_mismatch`)"
        )

  return Discovery.of({
    protectedResource: Effect.fnUntraced(function* (resourceUrl, request, { fresh = false } = {}) {
      const key = new DiscoveryKey(resourceUrl, request)
      const known = fresh ? yield* Cache.getSuccess(protectedResources, key) : Option.none()
      if (Option.isNone(known)) return yield* Cache.get(protectedResources, key)
      yield* Cache.invalidate(protectedResources, key)
      return yield* Effect.orElseSucceed(Cache.get(protectedResources, key), () => known.value)
    }),
    authorizationServer: (issuer, request) =>
      Cache.get(authorizationServers, new DiscoveryKey(issuer, request)).pipe(
        Effect.tap((metadata) => warnOfOtherIssuer(issuer, metadata.issuer))
      ),
    originServer: (resourceUrl, request) =>
      Cache.get(originServers, new DiscoveryKey(resourceUrl, request)).pipe(
        Effect.tap(({ issuer }) =>
          warnOnce(
            `The MCP server ${withoutQuery(resourceUrl)} has no resource metadata (RFC 9728); its own origin is used ` +
              `as its authorization server ${shownUrl(issuer)}, as in MCP 2025-03-26`
          )
        ),
        Effect.tap(({ issuer, metadata }) => warnOfOtherIssuer(issuer, metadata.issuer))
      )
  })
})

/** Logs a warning the first time. */
const makeWarnOnce = () => {
  const logged = new Set<string>()
  return (warning: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (logged.has(warning)) return Effect.void
      const [oldest] = logged
      if (logged.size >= capacity && oldest !== undefined) logged.delete(oldest)
      logged.add(warning)
      return Effect.logWarning(warning)
    })
}

const cacheOf = Effect.fnUntraced(function* <A, E extends OAuthErrorReason | NoResourceMetadata>(
  find: (url: string, request: GrantRequest) => Effect.Effect<A, E, EndpointClient>
) {
  /** The oldest first. */
  const lengths = new Map<DiscoveryKey["identity"], { readonly key: DiscoveryKey; readonly length: number }>()
  let total = 0

  const drop = (identity: string) => {
    total -= lengths.get(identity)?.length ?? 0
    lengths.delete(identity)
  }

  const makeRoom = Effect.fnUntraced(function* (key: DiscoveryKey, found: A) {
    drop(key.identity)
    const length = JSON.stringify(found).length
    total += length
    lengths.set(key.identity, { key, length })
    for (const [identity, { key: oldest }] of lengths) {
      if (total <= longestDocuments && lengths.size <= capacity) break
      drop(identity)
      yield* Cache.invalidate(cache, oldest)
    }
  })

  const cache: Cache.Cache<DiscoveryKey, A, E> = yield* Cache.makeWith(
    (key: DiscoveryKey) => Effect.tap(find(key.url, key.request), (found) => makeRoom(key, found)),
    { capacity, timeToLive: (exit) => (Exit.isSuccess(exit) ? timeToLive : timeToLiveOf(exit)) }
  )
  return cache
})

/** A server that was away, or slow, may answer the next time. */
const timeToLiveOf = (failure: Exit.Failure<unknown, OAuthErrorReason | NoResourceMetadata>) => {
  const tag = Option.getOrUndefined(Exit.findErrorOption(failure))?._tag
  return tag === "NoResourceMetadata" || tag === "DiscoveryFailed" ? failureTimeToLive : Duration.zero
}

/** Equal for requests that ask for the same document over the same connection and by the same rules. */
class DiscoveryKey implements Equal.Equal {
  readonly url: string
  readonly request: GrantRequest
  readonly identity: string

  constructor(url: string, request: GrantRequest) {
    this.url = url
    this.request = request
    const { challenge, config, resourceUrl } = request
    this.identity = JSON.stringify([
      url,
      challenge?.resourceMetadata,
      [resourceUrl, config.issuer, config.tokenUrl, config.authorizationUrl, config.resource],
      [config.enforceHttps, config.version, config.useMtls, config.issuerMismatch, config.grantType],
      [config.clientCertPath, config.clientKeyPath, config.clientPkcs12Path, config.caBundlePath]
    ])
  }

  [Equal.symbol](that: Equal.Equal): boolean {
    return that instanceof DiscoveryKey && that.identity === this.identity
  }

  [Hash.symbol](): number {
    return Hash.string(this.identity)
  }
}
