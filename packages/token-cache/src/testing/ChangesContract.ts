import * as Effect from "effect/Effect"
import { changeGroup } from "../store/StoreChanges.ts"
import { aboutKey, expect, type ContractPoint } from "./ContractPoint.ts"
import { full, long, plain } from "./ContractTokens.ts"
import { acquireLease } from "./TokenLeaseContract.ts"

/** What a `TokenStore` that tells its changes has to tell. One that does not passes. */
export const changesContract: ReadonlyArray<ContractPoint> = [
  aboutKey(
    "tells in its changes whatever is written or removed, and nothing else",
    "changing",
    (store, key) =>
      Effect.gen(function* () {
        const { changes } = store
        if (changes === undefined) return
        let { cursor } = yield* changes(undefined)
        const isTold = Effect.fnUntraced(function* () {
          const answer = yield* changes(cursor)
          cursor = answer.cursor
          return answer.groups === undefined || answer.groups.has(changeGroup(key))
        })
        yield* store.set(key, full, long)
        yield* expect(yield* isTold(), "does not tell a write in its changes")
        yield* store.get(key)
        const first = yield* acquireLease(store, key)
        yield* first.release
        yield* expect(!(yield* isTold()), "tells a change where there was none")
        const lease = yield* acquireLease(store, key)
        yield* isTold()
        yield* lease.set(plain, long)
        yield* expect(yield* isTold(), "does not tell a write with a lease in its changes")
        yield* lease.release
        const last = yield* acquireLease(store, key)
        yield* last.remove(plain)
        yield* expect(yield* isTold(), "does not tell a removal with a lease in its changes")
        yield* last.release
        yield* store.remove(key)
        yield* expect(yield* isTold(), "does not tell a removal in its changes")
      })
  )
]
