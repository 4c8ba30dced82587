import type { TokenKey } from "@secure-mcp/oauth-core"
import { changeGroup, type StoreChanges } from "../store/StoreChanges.ts"
import type { MemoryToken } from "./MemoryToken.ts"
import type { Moment } from "./Moment.ts"

/** What is known of a token by the store's changes. */
export type Confirmation = Pick<MemoryToken, "checkedAt" | "askedAt">

/** What has changed in the store, from one reading to the next without a gap. */
export interface ChangeHistory {
  /** Where the next reading goes on; undefined before the first. */
  readonly cursor: () => string | undefined
  /** Adds the answer to a reading that was asked for at one moment, after the answer to the last, and answered at another. */
  readonly add: (changes: StoreChanges, asked: Moment, answered: Moment) => void
  /** That a token is as it was when the store was asked about it; undefined if this history cannot say so, or says nothing new. */
  readonly confirm: (key: TokenKey, cached: Confirmation) => Confirmation | undefined
}

/** Nothing has been read yet. */
export const makeChangeHistory = (): ChangeHistory => {
  let cursor: string | undefined
  let last: { readonly asked: Moment; readonly answered: Moment } | undefined
  // On the monotonic clock, when readings were answered: what was asked before that may be from before the change.
  let startedAt = Infinity
  const changedAt = new Map<number, number>()

  return {
    cursor: () => cursor,
    add: (changes, asked, answered) => {
      if (cursor === undefined || changes.groups === undefined) {
        startedAt = answered.monotonic
        changedAt.clear()
      }
      for (const group of changes.groups ?? []) changedAt.set(group, answered.monotonic)
      cursor = changes.cursor
      last = { asked, answered }
    },
    confirm: (key, { askedAt }) => {
      if (last === undefined || askedAt === undefined || askedAt <= startedAt) return undefined
      if (askedAt >= last.asked.monotonic) return undefined
      return askedAt > (changedAt.get(changeGroup(key)) ?? -Infinity)
        ? { checkedAt: last.answered, askedAt: last.asked.monotonic }
        : undefined
    }
  }
}
