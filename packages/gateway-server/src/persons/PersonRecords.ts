import { LoginRecords, type LoginRecordsService } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"

/** Records of one kind in the memory of this process, where no store keeps them. The oldest is evicted first. */
const capacity = 10_000

/** Records of one kind about people, which end by themselves: shared by all instances that share a store, else in the memory of this process. */
export const makePersonRecords = Effect.map(LoginRecords, (shared) => shared ?? inMemory())

const inMemory = (): LoginRecordsService => {
  const entries = new Map<string, { readonly record: Redacted.Redacted; readonly endsAt: number }>()
  const find = (id: string) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const entry = entries.get(id)
      if (entry === undefined || now < entry.endsAt) return entry?.record
      entries.delete(id)
      return undefined
    })
  return {
    put: (id, record, timeToLive) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        // Inserted again as the newest.
        entries.delete(id)
        entries.set(id, { record, endsAt: now + Duration.toMillis(timeToLive) })
        const [oldest] = entries.keys()
        if (entries.size > capacity && oldest !== undefined) entries.delete(oldest)
      }),
    get: find,
    take: (id) => Effect.tap(find(id), () => Effect.sync(() => entries.delete(id)))
  }
}
