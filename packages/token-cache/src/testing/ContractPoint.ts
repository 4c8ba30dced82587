import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { OAuthToken, type StoreUnavailable, type TokenKey } from "@secure-mcp/oauth-core"
import { tokenOfEntry, type StoreEntry } from "../store/StoreEntry.ts"
import { TokenStore } from "../store/TokenStore.ts"

/** One thing that every store has to do. */
export interface ContractPoint {
  readonly name: string
  readonly effect: Effect.Effect<void, ContractViolation, TokenStore>
}

/** What a store does that it must not do. Quotes no token. */
export class ContractViolation extends Schema.TaggedError<ContractViolation>()("ContractViolation", {
  problem: Schema.String
}) {
  override get message(): string {
    return this.problem
  }
}

/**
 * How time passes while the contract is checked: at most four seconds for each point. By default `TestClock.adjust`,
 * so the points must run under a TestClock. A store that counts time outside of this process, as Redis does, is
 * checked under the live clock with `{ pass: Effect.sleep }`.
 */
export const ContractTime = Context.Reference<{
  readonly pass: (duration: Duration.Duration) => Effect.Effect<void>
}>("@secure-mcp/token-cache/ContractTime", { defaultValue: () => ({ pass: TestClock.adjust }) })

/** A point about some keys, which are free before and after. */
export const contractPoint = (
  name: string,
  keys: ReadonlyArray<TokenKey>,
  check: (store: TokenStore["Service"]) => Effect.Effect<void, ContractViolation | StoreUnavailable>
): ContractPoint => ({
  name,
  effect: Effect.gen(function* () {
    const store = yield* TokenStore
    const clear = Effect.forEach(keys, store.remove, { discard: true })
    yield* clear
    yield* Effect.ensuring(check(store), Effect.ignore(clear))
  }).pipe(
    Effect.catchTag("StoreUnavailable", ({ problem }) =>
      Effect.fail(new ContractViolation({ problem: `fails: ${problem}` }))
    )
  )
})

/** A key of the contract. */
export const keyNamed = (serverName: string): TokenKey => ({
  projectId: "token-store-contract",
  configId: "default",
  serverName,
  personal: true,
  fingerprint: "0".repeat(64)
})

/** A point about one key. */
export const aboutKey = (
  name: string,
  serverName: string,
  check: (store: TokenStore["Service"], key: TokenKey) => ReturnType<Parameters<typeof contractPoint>[2]>
): ContractPoint => {
  const key = keyNamed(serverName)
  return contractPoint(name, [key], (store) => check(store, key))
}

/** Lets time pass. */
export const pass = (duration: Duration.Duration): Effect.Effect<void> =>
  Effect.flatMap(ContractTime, (time) => time.pass(duration))

/** Demands something. */
export const expect = (satisfied: boolean, problem: string): Effect.Effect<void, ContractViolation> =>
  satisfied ? Effect.void : Effect.fail(new ContractViolation({ problem }))

/** Demands exactly this token, or none. */
export const expectToken = Effect.fnUntraced(function* (
  given: StoreEntry | OAuthToken | undefined,
  expected: OAuthToken | undefined
) {
  const actual = given === undefined || given instanceof OAuthToken ? given : tokenOfEntry(given)
  yield* expect(actual !== undefined || expected === undefined, "has lost a token")
  yield* expect(actual === undefined || expected !== undefined, "gives a token where there should be none")
  if (actual === undefined || expected === undefined) return
  yield* expect((yield* fieldsOf(actual)) === (yield* fieldsOf(expected)), "gives another token than was set")
})

/** All fields in the order of the schema, secrets included. */
export const fieldsOf = (token: OAuthToken): Effect.Effect<string, ContractViolation> =>
  Schema.encodeEffect(OAuthToken)(token).pipe(
    Effect.map((fields) => JSON.stringify(fields)),
    Effect.mapError(() => new ContractViolation({ problem: "gives something that is not an OAuthToken" }))
  )
