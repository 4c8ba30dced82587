import { OAuthEvents, OAuthHttp, type OAuthConfig, type OAuthConnection } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { ClientCertificates } from "./ClientCertificates.ts"
import type { ClientConnection } from "./connections/ConnectionPool.ts"
import { makeDispatcherHttpClient } from "./connections/DispatcherHttpClient.ts"
import { makeUndiciExchange } from "./connections/UndiciExchange.ts"

const make = Effect.gen(function* () {
  const certificates = yield* ClientCertificates
  const events = yield* OAuthEvents
  const scope = yield* Effect.scope

  // Called on every request, so connections that were seen before cost one look-up.
  const known = new WeakMap<ClientConnection, OAuthConnection>()
  const clientOver = (connection: ClientConnection): OAuthConnection => {
    const memo = known.get(connection)
    if (memo !== undefined) return memo
    const { certificateThumbprint, dispatcher, usesProxy } = connection
    const made: OAuthConnection = {
      client: makeDispatcherHttpClient(dispatcher),
      exchange: makeUndiciExchange(dispatcher),
      certificateThumbprint,
      usesProxy
    }
    known.set(connection, made)
    return made
  }

  const published = new WeakMap<OAuthConfig, Set<string>>()
  const publishCertificates = (config: OAuthConfig, serverName: string) => {
    const serverNames = published.get(config) ?? new Set()
    if (serverNames.has(serverName)) return Effect.void
    published.set(config, serverNames.add(serverName))
    return certificates
      .subscribe(config, ({ expiresAt }) =>
        events.publish({ _tag: "CertificateInUse", serverName, expiresAt })
      )
      .pipe(
        Scope.provide(scope),
        Effect.onError(() => Effect.sync(() => serverNames.delete(serverName)))
      )
  }

  return OAuthHttp.of({
    connection: (config, { addresses, proxies, serverName } = {}) => {
      const connection = Effect.map(certificates.connection(config, proxies, addresses), clientOver)
      return serverName === undefined || !config.useMtls
        ? connection
        : Effect.andThen(publishCertificates(config, serverName), connection)
    }
  })
})

/** The implementation of `OAuthHttp` that presents client certificates (RFC 8705). */
export const MtlsOAuthHttp = {
  /**
   * `OAuthHttp` over the connections of `ClientCertificates`: `use_mtls` and `ca_bundle_path` take effect.
   *
   * Publishes `CertificateInUse` to `OAuthEvents` for each server whose connections are requested by name, when its
   * client certificate is loaded and whenever it is replaced. For a metric of it, provide `OAuthMetrics.layer` to this
   * layer.
   *
   * @example
   * ```ts
   * import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
   * import { ClientCertificates, MtlsOAuthHttp } from "@secure-mcp/mtls"
   * import type { OAuthHttp } from "@secure-mcp/oauth-core"
   * import * as Layer from "effect/Layer"
   *
   * export const layer: Layer.Layer<OAuthHttp> = MtlsOAuthHttp.layer.pipe(
   *   Layer.provide(ClientCertificates.layer),
   *   Layer.provide(NodeFileSystem.layer)
   * )
   * ```
   */
  layer: Layer.effect(OAuthHttp, make) satisfies Layer.Layer<OAuthHttp, never, ClientCertificates>
}
