import * as Effect from "effect/Effect"
import { OAuthError, StoreUnavailable, type TokenKey } from "@secure-mcp/oauth-core"
import type { StoreEntry } from "../store/StoreEntry.ts"
import type { TokenStore } from "../store/TokenStore.ts"

/** What came of a look into the store. */
export type StoreReading =
  | { readonly _tag: "Read"; readonly entry: StoreEntry }
  | { readonly _tag: "Unread"; readonly problem: StoreUnavailable }

/** Looks into the store. One that fails costs a warning. Step `read` of docs/models/renewal.pml. */
export const readStore = (store: TokenStore["Service"], key: TokenKey): Effect.Effect<StoreReading> =>
  defectsAsProblems(Effect.interruptible(store.get(key))).pipe(
    Effect.map((entry): StoreReading => ({ _tag: "Read", entry })),
    Effect.catch((problem) =>
      Effect.as(warnOf("read", problem), { _tag: "Unread", problem } satisfies StoreReading)
    )
  )

/** Looks into the store as often as one likes: says nothing when that fails. */
export const readQuietly = (
  store: TokenStore["Service"],
  key: TokenKey
): Effect.Effect<StoreEntry | undefined> =>
  defectsAsProblems(store.get(key)).pipe(
    Effect.tapError(({ problem }) => Effect.logDebug(`The token store could not be read: ${problem}`)),
    Effect.orElseSucceed(() => undefined)
  )

/** A store that fails does not keep a token from being served: it costs a warning. */
export const orWarn =
  (operation: "read" | "written" | "locked") =>
  <A, R>(effect: Effect.Effect<A, StoreUnavailable, R>): Effect.Effect<A | undefined, never, R> =>
    Effect.catch(defectsAsProblems(effect), (problem) => Effect.as(warnOf(operation, problem), undefined))

/** Why the store could not be used. */
export const warnOf = (operation: string, { problem }: StoreUnavailable): Effect.Effect<void> =>
  Effect.logWarning(`The token store could not be ${operation}: ${problem}`)

/** What has to succeed before a refresh token is used. */
export const orFail =
  (operation: string, serverName: string) =>
  <A, R>(effect: Effect.Effect<A, StoreUnavailable, R>): Effect.Effect<A, OAuthError, R> =>
    Effect.catch(defectsAsProblems(effect), (reason) => OAuthError.fail({ operation, serverName, reason }))

/** A store with a bug is as good as one that is away. The text of a defect may hold anything. */
export const defectsAsProblems = <A, R>(
  effect: Effect.Effect<A, StoreUnavailable, R>
): Effect.Effect<A, StoreUnavailable, R> =>
  Effect.catchDefect(effect, () =>
    Effect.fail(new StoreUnavailable({ problem: "it threw an unexpected error" }))
  )
