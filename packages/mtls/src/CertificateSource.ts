import type { CertificateUnusable } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Ref from "effect/Ref"
import {
  type CertificateContents,
  type CertificatePaths,
  readCertificateContents
} from "./CertificateContents.ts"
import { type CertificateFiles, checkCertificates } from "./CertificateFiles.ts"
import { type ClientCertificate, isoDate, validityProblem } from "./ClientCertificate.ts"
import type { ConnectionPool } from "./ConnectionPool.ts"

/** Called with each client certificate that is used from now on. `expiresAt`: milliseconds since the epoch. */
export type CertificateListener = (certificate: { readonly expiresAt: number }) => Effect.Effect<void>

/** The files of a configuration, and the connections for their current contents. */
export interface CertificateSource {
  /** Fails while the certificate is expired or not yet valid. */
  readonly pool: Effect.Effect<ConnectionPool, CertificateUnusable>
  /** The last usable contents. */
  readonly loaded: Effect.Effect<LoadedCertificates>
  /** Reads the files again. If they changed and can be used, they are used from now on; else a warning says why not. */
  readonly reload: Effect.Effect<void>
  /** Calls the listener with the certificate in use, now and after each reload, until the returned effect is run. */
  readonly subscribe: (listener: CertificateListener) => Effect.Effect<Effect.Effect<void>>
}

/** Certificates that were read and checked, with the connections that use them. */
export interface LoadedCertificates {
  readonly digest: string
  readonly client: ClientCertificate | undefined
  readonly pool: ConnectionPool
}

interface State {
  readonly loaded: LoadedCertificates
  /** The last warning about the files, if they cannot be used as they are now. */
  readonly warning: string | undefined
  readonly listeners: ReadonlySet<CertificateListener>
}

/**
 * Reads the files of a configuration for the first time.
 *
 * @param connect the connections for certificates
 */
export const openCertificateSource = Effect.fnUntraced(function* (
  paths: CertificatePaths,
  connect: (files: CertificateFiles) => Effect.Effect<ConnectionPool, CertificateUnusable>
): Effect.fn.Return<CertificateSource, CertificateUnusable, FileSystem.FileSystem> {
  const files = yield* FileSystem.FileSystem
  const read = Effect.provideService(readCertificateContents(paths), FileSystem.FileSystem, files)
  const load = Effect.fnUntraced(function* (contents: CertificateContents, replaced?: LoadedCertificates) {
    const checked = yield* checkCertificates(contents, paths)
    // Never replace a currently valid certificate with an expired or not-yet-valid one.
    if (replaced !== undefined && (yield* Effect.isSuccess(requireValid(replaced.client))))
      yield* requireValid(checked.client)
    return { digest: contents.digest, client: checked.client, pool: yield* connect(checked) }
  })
  const state = yield* Ref.make<State>({
    loaded: yield* Effect.flatMap(read, load),
    warning: undefined,
    listeners: new Set()
  })

  const warnOnce = Effect.fnUntraced(function* ({ key, problem }: CertificateUnusable) {
    const warning = `\`${key}\` ${problem}`
    const before = yield* Ref.getAndUpdate(state, (current) => ({ ...current, warning }))
    if (before.warning !== warning) {
      yield* Effect.logWarning(
        `Certificate files have changed and what they held before stays in use: ${warning}`
      )
    }
  })

  const reload = Effect.gen(function* () {
    const contents = yield* read
    const { listeners, loaded: before, warning } = yield* Ref.get(state)
    if (contents.digest === before.digest) {
      if (warning !== undefined) yield* Effect.logInfo(`These files can be used again: ${namesOf(paths)}`)
      return yield* Ref.update(state, (current) => ({ ...current, warning: undefined }))
    }
    const loaded = yield* load(contents, before)
    yield* Ref.update(state, (current) => ({ ...current, loaded, warning: undefined }))
    yield* Effect.forEach(listeners, (listener) => tell(listener, loaded), { discard: true })
    yield* Effect.logInfo(changed(paths, loaded.client))
  }).pipe(Effect.catch(warnOnce), Effect.withSpan("ClientCertificates.reload"))

  const setListeners = (update: (listeners: ReadonlySet<CertificateListener>) => Set<CertificateListener>) =>
    Ref.updateAndGet(state, (current) => ({ ...current, listeners: update(current.listeners) }))

  return {
    pool: Effect.flatMap(Ref.get(state), ({ loaded }) => Effect.as(requireValid(loaded.client), loaded.pool)),
    loaded: Effect.map(Ref.get(state), ({ loaded }) => loaded),
    reload,
    subscribe: (listener) =>
      setListeners((listeners) => new Set([...listeners, listener])).pipe(
        Effect.flatMap(({ loaded }) => tell(listener, loaded)),
        Effect.as(setListeners((listeners) => new Set([...listeners].filter((one) => one !== listener))))
      )
  }
})

const tell = (listener: CertificateListener, { client }: LoadedCertificates) =>
  client === undefined ? Effect.void : listener({ expiresAt: client.expiresAt })

const requireValid = (client: ClientCertificate | undefined): Effect.Effect<void, CertificateUnusable> =>
  client === undefined
    ? Effect.void
    : Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const problem = validityProblem(client, now)
        return problem === undefined ? Effect.void : Effect.fail(problem)
      })

const changed = (paths: CertificatePaths, client: ClientCertificate | undefined): string =>
  `These certificate files have changed and are used from now on: ${namesOf(paths)}` +
  (client === undefined ? "" : `. The client certificate expires on ${isoDate(client.expiresAt)}`)

const namesOf = (paths: CertificatePaths): string =>
  [paths.clientPkcs12Path, paths.clientCertPath, paths.clientKeyPath, paths.caBundlePath]
    .filter((path) => path !== undefined)
    .join(", ")
