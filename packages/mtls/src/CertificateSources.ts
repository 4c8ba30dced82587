import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Ref from "effect/Ref"
import { type CertificatePaths, readCertificateContents } from "./certificates/CertificateContents.ts"
import {
  type CertificateReader,
  type CertificateSource,
  openCertificateSource
} from "./certificates/CertificateSource.ts"
import type { ConnectionPool, ConnectionPoolOptions } from "./connections/ConnectionPool.ts"
import { makePools } from "./connections/ConnectionPools.ts"
import { makeExpiryWarnings } from "./certificates/ExpiryWarnings.ts"

/** How connections are made, and how their certificates are kept up to date. */
export interface ClientCertificatesOptions extends ConnectionPoolOptions {
  /** How often files that are in use are checked for changes. Default: every 10 seconds. */
  readonly reloadInterval?: Duration.Input | undefined
}

/**
 * Opens the files of configurations and reads all of them again at an interval, because a watcher misses what happens
 * on network file systems and behind symbolic links that are exchanged.
 */
export const makeCertificateSources = Effect.fnUntraced(function* (options: ClientCertificatesOptions) {
  const files = yield* FileSystem.FileSystem
  const pools = yield* makePools(options)
  const warnOfExpiry = makeExpiryWarnings()
  const sources = yield* Ref.make<ReadonlyArray<CertificateSource<ConnectionPool>>>([])
  const firstSource = yield* Deferred.make<void>()

  const round = Effect.gen(function* () {
    const opened = yield* Ref.get(sources)
    yield* Effect.forEach(opened, ({ reload }) => reload, { discard: true })
    const loaded = yield* Effect.forEach(opened, (source) => source.loaded)
    yield* pools.drainUnused(new Set(loaded.map(({ built }) => built)))
    yield* Effect.forEach(loaded, ({ client }) => warnOfExpiry(client), { discard: true })
  })

  // A process without certificates has no timer.
  yield* Deferred.await(firstSource).pipe(
    Effect.andThen(Effect.forever(Effect.delay(round, options.reloadInterval ?? "10 seconds"))),
    Effect.forkScoped
  )

  return {
    /** The connections without a certificate. */
    plain: pools.plain,

    open: Effect.fn("ClientCertificates.load")(function* (paths: CertificatePaths) {
      const source = yield* Effect.provideService(
        openCertificateSource(readerOf(paths), pools.withCertificates),
        FileSystem.FileSystem,
        files
      )
      yield* warnOfExpiry((yield* source.loaded).client)
      yield* Ref.update(sources, (opened) => [...opened, source])
      yield* Deferred.succeed(firstSource, undefined)
      return source
    })
  }
})

const readerOf = (paths: CertificatePaths): CertificateReader => ({
  read: readCertificateContents(paths),
  passphrase: paths.clientKeyPassphrase,
  paths: [paths.clientPkcs12Path, paths.clientCertPath, paths.clientKeyPath, paths.caBundlePath],
  certificate: "The client certificate"
})
