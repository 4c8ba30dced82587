import { AddressLookup } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { CertificateFiles } from "../certificates/CertificateFiles.ts"
import {
  makeCertificatePool,
  makeCheckedLookup,
  makePlainPool,
  type ConnectionPool,
  type ConnectionPoolOptions
} from "./ConnectionPool.ts"

/** One pool for each set of file contents, closed when it is no longer used. Closing the scope closes all at once. */
export const makePools = Effect.fnUntraced(function* (options: ConnectionPoolOptions) {
  const checkedLookup = yield* makeCheckedLookup(yield* AddressLookup)
  const plain = makePlainPool(options, checkedLookup)
  const byContent = new Map<string, UsedPool>()
  const open = new Set([plain])
  // One at a time: two sets of files with the same contents must share their connections.
  const lock = yield* Semaphore.make(1)
  const scope = yield* Effect.scope
  yield* Effect.addFinalizer(() =>
    Effect.forEach(open, ({ destroy }) => destroy, { concurrency: "unbounded", discard: true })
  )

  const make = Effect.fnUntraced(function* (files: CertificateFiles) {
    const pool = yield* makeCertificatePool(files, options, checkedLookup)
    open.add(pool)
    return pool
  })

  /** Closes a pool once its running requests are done. */
  const drain = Effect.fnUntraced(function* (content: string, pool: ConnectionPool) {
    byContent.delete(content)
    yield* pool.close.pipe(Effect.andThen(Effect.sync(() => open.delete(pool))), Effect.forkIn(scope))
  })

  return {
    plain,

    withCertificates: Effect.fnUntraced(function* (files: CertificateFiles) {
      const content = JSON.stringify([files.client?.contentHash ?? null, files.authorities ?? null])
      const { pool } = byContent.get(content) ?? { pool: yield* make(files) }
      byContent.set(content, { pool })
      return pool
    }, lock.withPermit),

    /** Closes the pools that have not been among those in use for a while, once their requests are done. */
    drainUnused: Effect.fnUntraced(function* (inUse: ReadonlySet<ConnectionPool>) {
      const now = yield* Clock.currentTimeMillis
      for (const [content, { pool, unusedSince = now }] of byContent) {
        if (inUse.has(pool)) byContent.set(content, { pool })
        else if (now - unusedSince < Duration.toMillis(grace)) byContent.set(content, { pool, unusedSince })
        else yield* drain(content, pool)
      }
    }, lock.withPermit)
  }
})

interface UsedPool {
  readonly pool: ConnectionPool
  /** Milliseconds since the epoch. */
  readonly unusedSince?: number
}

/** For requests that chose their connections and have not begun yet. */
const grace = Duration.minutes(1)
