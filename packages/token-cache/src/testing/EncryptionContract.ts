import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { StoreUnavailable } from "@secure-mcp/oauth-core"
import type { TokenEncryptionOptions } from "../store/TokenEncryption.ts"
import type { TokenStore } from "../store/TokenStore.ts"
import { ContractViolation, expect, expectToken, keyNamed } from "./ContractPoint.ts"
import { accessToken, full, long, plain, refreshToken } from "./ContractTokens.ts"

/** One set of data, opened with several encryption keys. */
export class EncryptedStore extends Context.Service<
  EncryptedStore,
  {
    /** Opens the store of this test with these keys. */
    readonly open: (
      keys: TokenEncryptionOptions
    ) => Effect.Effect<TokenStore["Service"], unknown, Scope.Scope>
    /** All that the store has outside of this process: names and contents of files, keys and values. */
    readonly bytes: Effect.Effect<ReadonlyArray<Uint8Array>, unknown>
  }
>()("@secure-mcp/token-cache/EncryptedStore") {}

/** One thing that encryption has to do. */
export interface EncryptionPoint {
  readonly name: string
  readonly effect: Effect.Effect<void, ContractViolation, EncryptedStore>
}

const first = Redacted.make("contract-encryption-key-1-0123456789abcdef")
const second = Redacted.make("contract-encryption-key-2-0123456789abcdef")

const key = { ...keyNamed("contract-server-name"), subject: "contract-subject" }

const encryptionPoint = (
  name: string,
  check: (store: EncryptedStore["Service"]) => Effect.Effect<void, unknown, Scope.Scope>
): EncryptionPoint => ({
  name,
  effect: Effect.flatMap(EncryptedStore, check).pipe(
    Effect.scoped,
    Effect.mapError((error) =>
      error instanceof ContractViolation ? error : new ContractViolation({ problem: "cannot be used" })
    )
  )
})

const shows = (bytes: Uint8Array, text: string): boolean => {
  const haystack = Buffer.from(bytes)
  const needle = Buffer.from(text)
  return (["utf8", "hex", "base64"] as const).some((encoding) =>
    haystack.includes(needle.toString(encoding).replace(/=+$/, ""))
  )
}

/**
 * What a store has to do whose data leave the process: it shows nothing of a token and its key, and a record that needs
 * another encryption key is an error that changes nothing.
 *
 * @example
 * ```ts
 * import { it } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import { EncryptedStore, encryptionContract } from "@secure-mcp/token-cache/testing"
 *
 * declare const makeMyStore: Effect.Effect<EncryptedStore["Service"]>
 *
 * for (const { effect, name } of encryptionContract)
 *   it.effect(name, () => Effect.provideServiceEffect(effect, EncryptedStore, makeMyStore))
 * ```
 */
export const encryptionContract: ReadonlyArray<EncryptionPoint> = [
  encryptionPoint("shows nothing of a token and its key outside of the process", ({ bytes, open }) =>
    Effect.gen(function* () {
      const store = yield* open({ encryptionKey: first })
      yield* store.set(key, full, Duration.infinity)
      const lease = yield* store.lease(key, long)
      yield* lease?.release ?? Effect.void
      const written = yield* bytes
      yield* expect(written.length > 0, "has nothing outside of the process: there is nothing to check")
      for (const secret of [accessToken, refreshToken, key.serverName, key.subject])
        yield* expect(!written.some((part) => shows(part, secret)), "shows a part of a token or of its key")
    })
  ),
  encryptionPoint("refuses every operation on a record that needs another key, and leaves it", ({ open }) =>
    Effect.gen(function* () {
      const right = yield* open({ encryptionKey: first })
      yield* right.set(key, full, Duration.infinity)
      const wrong = yield* open({ encryptionKey: second })
      const operations: ReadonlyArray<Effect.Effect<unknown, StoreUnavailable>> = [
        wrong.get(key),
        wrong.set(key, plain, long),
        wrong.remove(key),
        wrong.lease(key, long)
      ]
      for (const operation of operations) {
        const problem = yield* Effect.flip(operation).pipe(
          Effect.mapError(() => new ContractViolation({ problem: "takes a record that needs another key" }))
        )
        yield* expect(problem.problem.includes("key"), "does not say that another key is needed")
      }
      yield* expectToken(yield* right.get(key), full)
      const lease = yield* right.lease(key, long)
      yield* expect(lease !== undefined, "keeps a lease that it refused")
    })
  ),
  encryptionPoint("reads with a previous key, and writes with the new one", ({ open }) =>
    Effect.gen(function* () {
      yield* (yield* open({ encryptionKey: first })).set(key, full, Duration.infinity)
      const rotated = yield* open({ encryptionKey: second, previousKeys: [first] })
      yield* expectToken(yield* rotated.get(key), full)
      yield* rotated.set(key, plain, Duration.infinity)
      const later = yield* open({ encryptionKey: second })
      yield* expectToken(yield* later.get(key), plain)
    })
  )
]
