import type { CertificateUnusable } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import {
  type CertificateContents,
  type CertificatePaths,
  readCertificateContents
} from "./CertificateContents.ts"
import { type CertificateFiles, checkCertificates } from "./CertificateFiles.ts"
import { type ClientCertificate, isoDate, validityProblem } from "./ClientCertificate.ts"
import type { ConnectionPoolOptions } from "./ConnectionPool.ts"
import { type ClientConnection, makePools } from "./ConnectionPools.ts"
import { makeExpiryWarnings } from "./ExpiryWarnings.ts"

/** How connections are made, and how their certificates are kept up to date. */
export interface ClientCertificatesOptions extends ConnectionPoolOptions {
  /** How often files that are in use are looked at for changes. Default: every 10 seconds. */
  readonly reloadInterval?: Duration.Input | undefined
}

/** The files of a configuration, with the connections for what they hold now. */
export interface CertificateSource {
  /** Fails while the certificate is out of its time. */
  readonly connection: Effect.Effect<ClientConnection, CertificateUnusable>
}

/**
 * Opens the files of configurations and looks at them again and again: what they hold then is used from then on, if it
 * can be used. Files are polled, because a watcher misses what happens on network file systems and behind symbolic
 * links that are exchanged.
 */
export const makeCertificateSources = Effect.fnUntraced(function* (options: ClientCertificatesOptions) {
  const files = yield* FileSystem.FileSystem
  const pools = yield* makePools(options)
  const warnOfExpiry = makeExpiryWarnings()
  const sources: Array<Source> = []
  const firstSource = yield* Deferred.make<void>()

  const read = (paths: CertificatePaths) =>
    Effect.provideService(readCertificateContents(paths), FileSystem.FileSystem, files)

  const connect = (contents: CertificateContents, checked: CertificateFiles) =>
    Effect.map(pools.withCertificates(checked), (connection): Loaded => ({
      digest: contents.digest,
      client: checked.client,
      connection
    }))

  const reload = Effect.fnUntraced(
    function* (source: Source) {
      const { loaded, paths } = source
      const contents = yield* read(paths)
      if (contents.digest !== loaded.digest) {
        const checked = yield* checkCertificates(contents, paths)
        // One that is out of its time takes the place of none that is in it.
        if (yield* Effect.isSuccess(requireValid(loaded.client))) yield* requireValid(checked.client)
        source.loaded = yield* connect(contents, checked)
        yield* Effect.logInfo(switched(paths, checked))
      } else if (source.problem !== undefined) {
        yield* Effect.logInfo(`These files can be used again: ${namesOf(paths)}`)
      }
      source.problem = undefined
    },
    (effect, source) => Effect.catch(effect, (problem) => report(source, problem))
  )

  const round = Effect.gen(function* () {
    yield* Effect.forEach(sources, reload, { discard: true })
    yield* pools.drainUnused(new Set(sources.map(({ loaded }) => loaded.connection)))
    for (const { loaded } of sources) if (loaded.client !== undefined) yield* warnOfExpiry(loaded.client)
  })

  yield* Deferred.await(firstSource).pipe(
    Effect.andThen(Effect.forever(Effect.delay(round, options.reloadInterval ?? "10 seconds"))),
    Effect.forkScoped
  )

  return {
    plain: pools.plain,
    open: Effect.fnUntraced(function* (paths: CertificatePaths) {
      const contents = yield* read(paths)
      const loaded = yield* connect(contents, yield* checkCertificates(contents, paths))
      if (loaded.client !== undefined) yield* warnOfExpiry(loaded.client)
      const source: Source = { paths, loaded, problem: undefined }
      sources.push(source)
      yield* Deferred.succeed(firstSource, undefined)
      return {
        connection: Effect.suspend(() =>
          Effect.as(requireValid(source.loaded.client), source.loaded.connection)
        )
      } satisfies CertificateSource
    })
  }
})

interface Source {
  readonly paths: CertificatePaths
  loaded: Loaded
  /** What was said of the files last, if they cannot be used as they are now. */
  problem: string | undefined
}

interface Loaded {
  readonly digest: string
  readonly client: ClientCertificate | undefined
  readonly connection: ClientConnection
}

const requireValid = (client: ClientCertificate | undefined): Effect.Effect<void, CertificateUnusable> =>
  client === undefined
    ? Effect.void
    : Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const problem = validityProblem(client, now)
        return problem === undefined ? Effect.void : Effect.fail(problem)
      })

/** Says it once, and again when it is something else. */
const report = (source: Source, { key, problem }: CertificateUnusable) => {
  const said = `\`${key}\` ${problem}`
  if (source.problem === said) return Effect.void
  source.problem = said
  return Effect.logWarning(`Certificate files have changed and what they held before stays in use: ${said}`)
}

const switched = (paths: CertificatePaths, { client }: CertificateFiles): string =>
  `These certificate files have changed and are used from now on: ${namesOf(paths)}` +
  (client === undefined ? "" : `. The client certificate expires on ${isoDate(client.expiresAt)}`)

const namesOf = (paths: CertificatePaths): string =>
  [paths.clientPkcs12Path, paths.clientCertPath, paths.clientKeyPath, paths.caBundlePath]
    .filter((path) => path !== undefined)
    .join(", ")
