import type { AddressRule, CertificateUnusable, OAuthConfig, Proxies } from "@secure-mcp/oauth-core"
import * as Cache from "effect/Cache"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { CertificatePaths } from "./certificates/CertificateContents.ts"
import type { CertificateListener, CertificateSource } from "./certificates/CertificateSource.ts"
import { type ClientCertificatesOptions, makeCertificateSources } from "./CertificateSources.ts"
import type { ClientConnection, ConnectionPool } from "./connections/ConnectionPool.ts"

/**
 * The connections to use for a configuration: with its client certificate (`use_mtls`) and its own authorities
 * (`ca_bundle_path`), to the authorization server and to the MCP server alike, because a certificate-bound token
 * is valid only with the certificate it is bound to (RFC 8705 §3).
 */
export class ClientCertificates extends Context.Service<
  ClientCertificates,
  {
    /**
     * Pooled connections for a configuration; the shared plain ones when it names no certificates, or when there
     * is none. Call it for each request: the files are read on first use and checked again every few seconds,
     * and usable new contents give other connections. Fails while the certificate
     * is expired or not yet valid, too. Configurations whose files have the same contents share their connections,
     * others never do.
     *
     * With `proxies` they go through a tunnel to each host that is not to be reached directly; the client certificate
     * is presented to the server at its end and not to the proxy.
     *
     * With `addresses` a direct connection is made only if every address of its host is allowed; they are looked up once,
     * by `AddressLookup`, and the socket connects to what was checked. A proxy looks up hosts itself.
     *
     * Redirects are not followed, and no answer times out (`bodyTimeout` and `headersTimeout` are 0).
     */
    readonly connection: (
      config: OAuthConfig | undefined,
      proxies?: Proxies,
      addresses?: AddressRule
    ) => Effect.Effect<ClientConnection, CertificateUnusable>
    /**
     * The same without a fiber, for a configuration whose files have been read; undefined if they have not been, or while
     * the certificate cannot be used: call `connection`.
     */
    readonly current: (config: OAuthConfig | undefined, proxies?: Proxies) => ClientConnection | undefined
    /**
     * Calls the listener with the client certificate of a configuration: at once, and whenever it is replaced,
     * until the scope closes. Does nothing for a configuration without a client certificate.
     */
    readonly subscribe: (
      config: OAuthConfig,
      listener: CertificateListener
    ) => Effect.Effect<void, CertificateUnusable, Scope.Scope>
  }
>()("@secure-mcp/mtls/ClientCertificates") {
  /** Closes all connections with its scope. */
  static readonly layer: Layer.Layer<ClientCertificates, never, FileSystem.FileSystem> = Layer.suspend(() =>
    ClientCertificates.layerOptions({})
  )

  /** `layer` with other limits and times. */
  static readonly layerOptions = (
    options: ClientCertificatesOptions
  ): Layer.Layer<ClientCertificates, never, FileSystem.FileSystem> =>
    Layer.effect(ClientCertificates, make(options))
}

const make = Effect.fnUntraced(function* (options: ClientCertificatesOptions) {
  const sources = yield* makeCertificateSources(options)

  // Configurations that name the same files have one source, also for simultaneous callers.
  const opened = yield* Cache.makeWith(sources.open, {
    capacity: Number.POSITIVE_INFINITY,
    timeToLive: (exit) => (Exit.isSuccess(exit) ? Duration.infinity : Duration.zero)
  })

  // Called on every request, so a configuration that was seen before costs one look-up.
  const known = new WeakMap<OAuthConfig, CertificateSource<ConnectionPool>>()
  const plain = Effect.succeed(sources.plain)
  const sourceOf = (config: OAuthConfig) => Cache.get(opened, certificatePaths(config))
  const open = (config: OAuthConfig) =>
    Effect.flatMap(sourceOf(config), (source) => {
      known.set(config, source)
      return source.built
    })

  return ClientCertificates.of({
    connection: (config, proxies, addresses) =>
      Effect.map(needsNoFiles(config) ? plain : (known.get(config)?.built ?? open(config)), (pool) =>
        pool.through(proxies, addresses)
      ),

    current: (config, proxies) =>
      (needsNoFiles(config) ? sources.plain : known.get(config)?.current())?.through(proxies),

    subscribe: (config, listener) =>
      config.useMtls
        ? sourceOf(config).pipe(
            Effect.flatMap((source) =>
              Effect.acquireRelease(source.subscribe(listener), (unsubscribe) => unsubscribe)
            ),
            Effect.asVoid
          )
        : Effect.void
  })
})

const needsNoFiles = (
  config: OAuthConfig | undefined
): config is undefined | (OAuthConfig & { readonly useMtls: false; readonly caBundlePath?: undefined }) =>
  config === undefined || (!config.useMtls && config.caBundlePath === undefined)

const certificatePaths = ({
  caBundlePath,
  clientCertPath,
  clientKeyPassphrase,
  clientKeyPath,
  clientPkcs12Path,
  useMtls
}: OAuthConfig): CertificatePaths => ({
  useMtls,
  ...(clientCertPath === undefined ? {} : { clientCertPath }),
  ...(clientKeyPath === undefined ? {} : { clientKeyPath }),
  ...(clientPkcs12Path === undefined ? {} : { clientPkcs12Path }),
  ...(clientKeyPassphrase === undefined ? {} : { clientKeyPassphrase }),
  ...(caBundlePath === undefined ? {} : { caBundlePath })
})
