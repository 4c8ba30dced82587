import type { CertificateUnusable } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import type { CertificateContents } from "./CertificateContents.ts"
import { type CertificateFiles, checkCertificates } from "./CertificateFiles.ts"
import { type ClientCertificate, isoDate, validityProblem } from "./ClientCertificate.ts"

/** Called with each client certificate that is used from now on. `expiresAt`: milliseconds since the epoch. */
export type CertificateListener = (certificate: { readonly expiresAt: number }) => Effect.Effect<void>

/** Files that certificates are read from, and how. */
export interface CertificateReader {
  readonly read: Effect.Effect<CertificateContents, CertificateUnusable, FileSystem.FileSystem>
  readonly passphrase: Redacted.Redacted | undefined
  readonly paths: ReadonlyArray<string | undefined>
  /** For log lines, with the article. */
  readonly certificate: string
}

/** Certificates that are read again, and what is built from their current contents. */
export interface CertificateSource<A> {
  /** What was built from the last usable contents. Fails while the certificate is expired or not yet valid. */
  readonly built: Effect.Effect<A, CertificateUnusable>
  /** The same without a fiber; undefined while the certificate is expired or not yet valid. */
  readonly current: () => A | undefined
  /** The last usable contents. */
  readonly loaded: Effect.Effect<LoadedCertificates<A>>
  /** Reads the files again. If they changed and can be used, they are used from now on; else a warning says why not. */
  readonly reload: Effect.Effect<void>
  /** Calls the listener with the certificate in use, now and after each reload, until the returned effect is run. */
  readonly subscribe: (listener: CertificateListener) => Effect.Effect<Effect.Effect<void>>
}

/** Certificates that were read and checked, with what was built from them. */
export interface LoadedCertificates<A> {
  readonly digest: string
  readonly client: ClientCertificate | undefined
  readonly built: A
}

interface State<A> {
  readonly loaded: LoadedCertificates<A>
  /** The last warning about the files, if they cannot be used as they are now. */
  readonly warning: string | undefined
  readonly listeners: ReadonlySet<CertificateListener>
}

/**
 * Reads certificates for the first time.
 *
 * @param build makes what uses them, such as connections
 */
export const openCertificateSource = Effect.fnUntraced(function* <A>(
  reader: CertificateReader,
  build: (files: CertificateFiles) => Effect.Effect<A, CertificateUnusable>
): Effect.fn.Return<CertificateSource<A>, CertificateUnusable, FileSystem.FileSystem> {
  const files = yield* FileSystem.FileSystem
  const clock = yield* Clock.Clock
  const read = Effect.provideService(reader.read, FileSystem.FileSystem, files)
  const load = Effect.fnUntraced(function* (contents: CertificateContents, replaced?: LoadedCertificates<A>) {
    const checked = yield* checkCertificates(contents, reader.passphrase)
    // Never replace a currently valid certificate with an expired or not-yet-valid one.
    if (replaced !== undefined && (yield* Effect.isSuccess(requireValid(replaced.client))))
      yield* requireValid(checked.client)
    return { digest: contents.digest, client: checked.client, built: yield* build(checked) }
  })
  const state = yield* Ref.make<State<A>>({
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
      if (warning !== undefined) yield* Effect.logInfo(`These files can be used again: ${namesOf(reader)}`)
      return yield* Ref.update(state, (current) => ({ ...current, warning: undefined }))
    }
    const loaded = yield* load(contents, before)
    yield* Ref.update(state, (current) => ({ ...current, loaded, warning: undefined }))
    yield* Effect.forEach(listeners, (listener) => tell(listener, loaded), { discard: true })
    yield* Effect.logInfo(changed(reader, loaded.client))
  }).pipe(Effect.catch(warnOnce), Effect.withSpan("ClientCertificates.reload"))

  const setListeners = (update: (listeners: ReadonlySet<CertificateListener>) => Set<CertificateListener>) =>
    Ref.updateAndGet(state, (current) => ({ ...current, listeners: update(current.listeners) }))

  return {
    built: Effect.flatMap(Ref.get(state), ({ loaded }) =>
      Effect.as(requireValid(loaded.client), loaded.built)
    ),
    current: () => {
      const { built, client } = Ref.getUnsafe(state).loaded
      const isValid =
        client === undefined || validityProblem(client, clock.currentTimeMillisUnsafe()) === undefined
      return isValid ? built : undefined
    },
    loaded: Effect.map(Ref.get(state), ({ loaded }) => loaded),
    reload,
    subscribe: (listener) =>
      setListeners((listeners) => new Set([...listeners, listener])).pipe(
        Effect.flatMap(({ loaded }) => tell(listener, loaded)),
        Effect.as(setListeners((listeners) => new Set([...listeners].filter((one) => one !== listener))))
      )
  }
})

const tell = (listener: CertificateListener, { client }: LoadedCertificates<unknown>) =>
  client === undefined ? Effect.void : listener({ expiresAt: client.expiresAt })

const requireValid = (client: ClientCertificate | undefined): Effect.Effect<void, CertificateUnusable> =>
  client === undefined
    ? Effect.void
    : Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const problem = validityProblem(client, now)
        return problem === undefined ? Effect.void : Effect.fail(problem)
      })

const changed = (reader: CertificateReader, client: ClientCertificate | undefined): string =>
  `These certificate files have changed and are used from now on: ${namesOf(reader)}` +
  (client === undefined ? "" : `. ${reader.certificate} expires on ${isoDate(client.expiresAt)}`)

const namesOf = ({ paths }: CertificateReader): string =>
  paths.filter((path) => path !== undefined).join(", ")
