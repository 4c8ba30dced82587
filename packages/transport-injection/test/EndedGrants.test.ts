import { assert, describe, it } from "@effect/vitest"
import { refused, TokenInjector } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import {
  call,
  makeSlowAnswer,
  makeTokens,
  personalRequest,
  takesNothing,
  type Tokens
} from "./RefusedTokens.ts"

const alice = personalRequest("alice")

const [loginNeeded, loginUseless] = ["AuthorizationRequired", "UpstreamUnauthorized afterLogin"]

/** The clock of the tests begins at zero, which no real clock shows. */
const begin = TestClock.adjust("1000 days")

/**
 * Two requests with one token: the first one refreshes it, and the second one is first with the new token. `between` comes
 * after the one and before the other.
 */
const refuseTwice = Effect.fnUntraced(function* (
  tokens: Tokens,
  between: Effect.Effect<unknown> = Effect.void
) {
  const { token } = yield* tokens.issue("alice")
  const [old, fresh] = [yield* makeSlowAnswer, yield* makeSlowAnswer]
  const isOld = (text: string | undefined) => text !== undefined && token.isAccessToken(Redacted.make(text))
  const second = yield* Effect.forkChild(call(alice, (text) => isOld(text) && old.answer))
  yield* old.asked
  const first = yield* Effect.forkChild(call(alice, (text) => !isOld(text) && fresh.answer))
  yield* fresh.asked
  yield* old.give(false)
  const outcome = yield* Fiber.join(second)
  yield* between
  yield* fresh.give(false)
  return [outcome, yield* Fiber.join(first)]
})

describe("a grant that ended because its fresh token was refused", () => {
  it.effect("a login within twenty minutes of the end of a grant is useless if its token is refused", () => {
    const tokens = makeTokens()
    return Effect.gen(function* () {
      yield* begin
      yield* tokens.issue("alice")
      assert.strictEqual(yield* call(alice, takesNothing), loginNeeded)
      yield* TestClock.adjust("20 minutes")
      yield* tokens.issue("alice")
      assert.strictEqual(yield* call(alice, takesNothing), loginUseless)
    }).pipe(Effect.provide(tokens.layer))
  })

  it.effect("a login more than twenty minutes after the end of a grant ends as the first one", () => {
    const tokens = makeTokens()
    return Effect.gen(function* () {
      yield* begin
      yield* tokens.issue("alice")
      assert.strictEqual(yield* call(alice, takesNothing), loginNeeded)
      yield* TestClock.adjust(20 * 60_000 + 1)
      yield* tokens.issue("alice")
      assert.strictEqual(yield* call(alice, takesNothing), loginNeeded)
      assert.strictEqual(yield* call(alice, () => true), "open", "the token was removed")
    }).pipe(Effect.provide(tokens.layer))
  })

  it.effect("a login in the millisecond in which the grant ended is useless if its token is refused", () => {
    const tokens = makeTokens()
    return Effect.gen(function* () {
      yield* begin
      yield* tokens.issue("alice")
      assert.strictEqual(yield* call(alice, takesNothing), loginNeeded)
      yield* tokens.issue("alice")
      assert.strictEqual(yield* call(alice, takesNothing), loginUseless)
    }).pipe(Effect.provide(tokens.layer))
  })

  it.effect("ten minutes after a useless login, its token is removed and a person may log in again", () => {
    const tokens = makeTokens()
    return Effect.gen(function* () {
      yield* begin
      yield* tokens.issue("alice")
      yield* call(alice, takesNothing)
      yield* TestClock.adjust("1 second")
      yield* tokens.issue("alice")
      assert.strictEqual(yield* call(alice, takesNothing), loginUseless)
      yield* TestClock.adjust(10 * 60_000 - 1)
      assert.strictEqual(yield* call(alice, takesNothing), loginUseless)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* call(alice, takesNothing), loginNeeded)
      assert.strictEqual(yield* call(alice, () => true), "open", "the token was removed")
    }).pipe(Effect.provide(tokens.layer))
  })

  it.effect("two requests whose fresh token is refused end one grant and lead to one login", () => {
    const tokens = makeTokens()
    return Effect.gen(function* () {
      yield* begin
      const warnings: Array<unknown> = []
      const logger = Logger.layer([Logger.make(({ message }) => void warnings.push(message))])
      assert.deepStrictEqual(yield* Effect.provide(refuseTwice(tokens), logger), [loginNeeded, loginNeeded])
      assert.lengthOf(warnings, 1, "the end of the grant is logged once")
    }).pipe(Effect.provide(tokens.layer))
  })

  it.effect(
    "a late refusal of an ended grant's token does not make the refusal of the next login a first one",
    () => {
      const tokens = makeTokens()
      return Effect.gen(function* () {
        yield* begin
        const login = tokens.issue("alice").pipe(Effect.andThen(TestClock.adjust("1 second")))
        yield* refuseTwice(tokens, login)
        assert.strictEqual(yield* call(alice, takesNothing), loginUseless)
      }).pipe(Effect.provide(tokens.layer))
    }
  )

  it.effect("a request that began before the grant ended does not make the next login useless", () => {
    const tokens = makeTokens()
    return Effect.gen(function* () {
      yield* begin
      yield* tokens.issue("alice")
      const slow = yield* makeSlowAnswer
      const early = yield* Effect.forkChild(call(alice, (token) => token === "alice-1" && slow.answer))
      yield* slow.asked
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* call(alice, takesNothing), loginNeeded)
      yield* TestClock.adjust("1 second")
      yield* tokens.issue("alice")
      yield* slow.give(false)
      assert.strictEqual(yield* Fiber.join(early), loginNeeded)
      assert.strictEqual(yield* call(alice, () => true), "open", "the token was removed")
    }).pipe(Effect.provide(tokens.layer))
  })

  it.effect("a token that cannot be refreshed is removed when it is refused after a while", () => {
    const tokens = makeTokens({ refreshable: false })
    return Effect.gen(function* () {
      yield* begin
      for (const token of ["alice-1", "alice-2", "alice-3"]) {
        yield* tokens.issue("alice")
        assert.strictEqual(yield* call(alice, () => true), token)
        assert.strictEqual(yield* call(alice, takesNothing), loginNeeded)
        assert.strictEqual(yield* call(alice, () => true), "open", "the token was removed")
        yield* TestClock.adjust("1 second")
      }
    }).pipe(Effect.provide(tokens.layer))
  })

  it.effect(
    "a token that a slow answer accepts after its refusal does not make the next refusal a first one",
    () => {
      const tokens = makeTokens({ refreshable: false })
      return Effect.gen(function* () {
        yield* begin
        yield* tokens.issue("alice")
        const slow = yield* makeSlowAnswer
        const early = yield* Effect.forkChild(call(alice, () => slow.answer))
        yield* slow.asked
        assert.strictEqual(yield* call(alice, takesNothing), loginNeeded)
        yield* slow.give(true)
        assert.strictEqual(yield* Fiber.join(early), "alice-1")
        yield* TestClock.adjust("1 second")
        yield* tokens.issue("alice")
        assert.strictEqual(yield* call(alice, takesNothing), loginUseless)
      }).pipe(Effect.provide(tokens.layer))
    }
  )

  it.effect("the grant of one person that ended changes nothing for another person", () => {
    const tokens = makeTokens()
    const bob = personalRequest("bob")
    return Effect.gen(function* () {
      yield* begin
      yield* tokens.issue("alice")
      assert.strictEqual(yield* call(alice, takesNothing), loginNeeded)
      yield* tokens.issue("bob")
      assert.strictEqual(yield* call(bob, () => true), "bob-1")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* call(bob, (token) => token === "bob-2"), "bob-2")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* call(bob, takesNothing), loginNeeded)
    }).pipe(Effect.provide(tokens.layer))
  })

  it.effect("the login after an end may be refreshed at once", () => {
    const tokens = makeTokens()
    return Effect.gen(function* () {
      yield* begin
      yield* tokens.issue("alice")
      assert.strictEqual(yield* call(alice, takesNothing), loginNeeded)
      yield* TestClock.adjust("1 second")
      yield* tokens.issue("alice")
      assert.strictEqual(yield* call(alice, (token) => token === "alice-4"), "alice-4")
    }).pipe(Effect.provide(tokens.layer))
  })

  it.effect(
    "the ends of a thousand grants are remembered, and the least recent one is forgotten first",
    () => {
      const tokens = makeTokens()
      const end = (name: string) =>
        Effect.andThen(tokens.issue(name), call(personalRequest(name), takesNothing))
      return Effect.gen(function* () {
        yield* begin
        for (let index = 0; index < 1000; index += 1) yield* end(`person-${index}`)
        // This end comes last now, and the next one takes the place of the second person's.
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual(yield* end("person-0"), loginUseless)
        assert.strictEqual(yield* end("person-1000"), loginNeeded)
        assert.strictEqual(yield* end("person-0"), loginUseless)
        assert.strictEqual(yield* end("person-2"), loginUseless)
        assert.strictEqual(yield* end("person-1"), loginNeeded)
      }).pipe(Effect.provide(tokens.layer))
    }
  )

  it.effect("a grant that cannot be refreshed stays when the server asks it for more scope", () => {
    const tokens = makeTokens({ refreshable: false })
    return Effect.gen(function* () {
      yield* begin
      yield* tokens.issue("alice")
      const { use } = yield* TokenInjector
      const challenge = { error: "insufficient_scope", scope: "mcp:admin" }
      const { reason } = yield* Effect.flip(use(alice, () => Effect.succeed(refused(403, challenge))))
      assert.strictEqual(reason._tag, loginNeeded)
      assert.strictEqual(yield* call(alice, () => true), "alice-1")
    }).pipe(Effect.provide(tokens.layer))
  })
})
