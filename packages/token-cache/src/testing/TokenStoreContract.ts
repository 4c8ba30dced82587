import { changesContract } from "./ChangesContract.ts"
import type { ContractPoint } from "./ContractPoint.ts"
import { keptTokensContract } from "./KeptTokensContract.ts"
import { tokenLeaseContract } from "./TokenLeaseContract.ts"
import { tokenRemovalContract } from "./TokenRemovalContract.ts"

/**
 * What a store has to do so that several processes may share it: one at a time renews a token, a removal is final, and
 * no new refresh token is lost. Used as `tokenStoreContract`, which contains it.
 */
export const leasesContract: ReadonlyArray<ContractPoint> = [...tokenLeaseContract, ...tokenRemovalContract]

/**
 * What every `TokenStore` has to do, as data for any test runner: it keeps tokens (`keptTokensContract`) and gives
 * leases (`leasesContract`), and what it tells of changes, if it does, is true. Each effect succeeds, or fails with a `ContractViolation`. They run in any order, all against one store or each against its own, use keys of the
 * project "token-store-contract" only and remove their tokens afterwards.
 *
 * A store that outlives its process has to pass `crashContract` as well, and one whose data leave the process
 * `encryptionContract`.
 *
 * @example
 * ```ts
 * import { it } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import { MemoryTokenStore, tokenStoreContract } from "@secure-mcp/token-cache/testing"
 *
 * for (const { effect, name } of tokenStoreContract)
 *   it.effect(name, () => Effect.provide(effect, MemoryTokenStore.layer))
 * ```
 */
export const tokenStoreContract: ReadonlyArray<ContractPoint> = [
  ...keptTokensContract,
  ...leasesContract,
  ...changesContract
]
