import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Dispatcher } from "undici"
import type { CertificateFiles } from "./CertificateFiles.ts"
import { makeCertificatePool, makePlainPool, type ConnectionPoolOptions } from "./ConnectionPool.ts"

/** Pooled connections that all present the same client certificate, or none. */
export interface ClientConnection {
  readonly dispatcher: Dispatcher
  /** `x5t#S256` (RFC 8705 §3.1) of the client certificate they present, if they present one. */
  readonly certificateThumbprint?: string | undefined
}

/** One pool for each set of file contents, closed when it is no longer used. Closing the scope closes all at once. */
export const makePools = Effect.fnUntraced(function* (options: ConnectionPoolOptions) {
  const plain: ClientConnection = { dispatcher: makePlainPool(options) }
  const byContent = new Map<string, Pool>()
  const open = new Set([plain.dispatcher])
  // One at a time: two sets of files with the same contents must share their connections.
  const lock = yield* Semaphore.make(1)
  const scope = yield* Effect.scope
  yield* Effect.addFinalizer(() =>
    Effect.forEach(open, (dispatcher) => Effect.promise(() => dispatcher.destroy()), {
      concurrency: "unbounded",
      discard: true
    })
  )

  const make = Effect.fnUntraced(function* (files: CertificateFiles) {
    const dispatcher = yield* makeCertificatePool(files, options)
    open.add(dispatcher)
    return {
      dispatcher,
      certificateThumbprint: files.client?.thumbprint
    } satisfies ClientConnection
  })

  /** Closes a pool once its running requests are done. */
  const drain = Effect.fnUntraced(function* (content: string, { dispatcher }: ClientConnection) {
    byContent.delete(content)
    yield* Effect.promise(() => dispatcher.close()).pipe(
      Effect.andThen(Effect.sync(() => open.delete(dispatcher))),
      Effect.forkIn(scope)
    )
  })

  return {
    plain,

    withCertificates: Effect.fnUntraced(function* (files: CertificateFiles) {
      const content = JSON.stringify([files.client?.contentHash ?? null, files.authorities ?? null])
      const { connection } = byContent.get(content) ?? { connection: yield* make(files) }
      byContent.set(content, { connection })
      return connection
    }, lock.withPermit),

    /** Closes the connections that have not been among those in use for a while, once their requests are done. */
    drainUnused: Effect.fnUntraced(function* (inUse: ReadonlySet<ClientConnection>) {
      const now = yield* Clock.currentTimeMillis
      for (const [content, { connection, unusedSince = now }] of byContent) {
        if (inUse.has(connection)) byContent.set(content, { connection })
        else if (now - unusedSince < Duration.toMillis(grace))
          byContent.set(content, { connection, unusedSince })
        else yield* drain(content, connection)
      }
    }, lock.withPermit)
  }
})

interface Pool {
  readonly connection: ClientConnection
  /** Milliseconds since the epoch. */
  readonly unusedSince?: number
}

/** For requests that chose their connections and have not begun yet. */
const grace = Duration.minutes(1)
