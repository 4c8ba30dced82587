import type { CertificateUnusable, OAuthConfig } from "@secure-mcp/oauth-core"
import * as Cache from "effect/Cache"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { createHash } from "node:crypto"
import type { Dispatcher } from "undici"
import { readCertificateFiles, type CertificateFiles, type CertificatePaths } from "./CertificateFiles.ts"
import { makeCertificatePool, makePlainPool, type ConnectionPoolOptions } from "./ConnectionPool.ts"

/** Pooled connections that all present the same client certificate, or none. */
export interface ClientConnection {
  readonly dispatcher: Dispatcher
  /** `x5t#S256` (RFC 8705 §3.1) of the client certificate they present, if they present one. */
  readonly certificateThumbprint?: string | undefined
}

/**
 * The connections to use for a configuration: with its client certificate (`use_mtls`) and its own authorities
 * (`ca_bundle_path`), to the authorization server and to the MCP server alike, because a certificate-bound token
 * is of use only over the certificate it is bound to (RFC 8705 §3).
 */
export class ClientCertificates extends Context.Service<
  ClientCertificates,
  {
    /**
     * Pooled connections for a configuration; the shared plain ones when it names no certificates, or when there
     * is none. The files are read on first use and then for as long as the layer lives; after a failure the next
     * call reads them again. Configurations whose files have the same contents share their connections, others
     * never do.
     *
     * Redirects are not followed, and no answer times out (`bodyTimeout` and `headersTimeout` are 0).
     */
    readonly connection: (
      config: OAuthConfig | undefined
    ) => Effect.Effect<ClientConnection, CertificateUnusable>
  }
>()("@secure-mcp/mtls/ClientCertificates") {
  /** Closes all connections with its scope. */
  static readonly layer: Layer.Layer<ClientCertificates, never, FileSystem.FileSystem> = Layer.suspend(() =>
    ClientCertificates.layerOptions({})
  )

  /** `layer` with other limits for the connections. */
  static readonly layerOptions = (
    options: ConnectionPoolOptions
  ): Layer.Layer<ClientCertificates, never, FileSystem.FileSystem> =>
    Layer.effect(ClientCertificates, make(options))
}

const make = Effect.fnUntraced(function* (options: ConnectionPoolOptions) {
  const files = yield* FileSystem.FileSystem
  const pools = yield* makePools(options)

  const loaded = yield* Cache.makeWith(
    (paths: CertificatePaths) =>
      readCertificateFiles(paths).pipe(
        Effect.flatMap(pools.withCertificates),
        Effect.provideService(FileSystem.FileSystem, files)
      ),
    {
      capacity: Number.POSITIVE_INFINITY,
      timeToLive: (exit) => (Exit.isSuccess(exit) ? Duration.infinity : Duration.zero)
    }
  )

  // Asked on every request, so the answer for a configuration that was seen before costs one look.
  const known = new WeakMap<OAuthConfig, Effect.Effect<ClientConnection>>()
  const plain = Effect.succeed(pools.plain)
  const load = (config: OAuthConfig) =>
    Cache.get(loaded, certificatePaths(config)).pipe(
      Effect.tap((connection) => Effect.sync(() => known.set(config, Effect.succeed(connection))))
    )

  return ClientCertificates.of({
    connection: (config) =>
      config === undefined || (!config.useMtls && config.caBundlePath === undefined)
        ? plain
        : (known.get(config) ?? load(config))
  })
})

const makePools = Effect.fnUntraced(function* (options: ConnectionPoolOptions) {
  const plain: ClientConnection = { dispatcher: makePlainPool(options) }
  const byContent = new Map<string, ClientConnection>()
  // One at a time: two sets of files with the same contents must find each other's connections.
  const lock = yield* Semaphore.make(1)
  yield* Effect.addFinalizer(() =>
    Effect.forEach(
      [plain, ...byContent.values()],
      ({ dispatcher }) => Effect.promise(() => dispatcher.destroy()),
      { concurrency: "unbounded", discard: true }
    )
  )

  return {
    plain,
    withCertificates: Effect.fnUntraced(function* (files: CertificateFiles) {
      const content = contentHash(files)
      const shared = byContent.get(content)
      if (shared !== undefined) return shared
      const connection: ClientConnection = {
        dispatcher: yield* makeCertificatePool(files, options),
        certificateThumbprint: files.client?.thumbprint
      }
      byContent.set(content, connection)
      return connection
    }, lock.withPermit)
  }
})

/** The private key is left out: it matches the certificate. */
const contentHash = ({ authorities, client }: CertificateFiles): string =>
  createHash("sha256")
    .update(JSON.stringify([client?.chain ?? null, authorities ?? null]))
    .digest("hex")

const certificatePaths = ({
  caBundlePath,
  clientCertPath,
  clientKeyPath,
  useMtls
}: OAuthConfig): CertificatePaths => ({
  useMtls,
  ...(clientCertPath === undefined ? {} : { clientCertPath }),
  ...(clientKeyPath === undefined ? {} : { clientKeyPath }),
  ...(caBundlePath === undefined ? {} : { caBundlePath })
})
