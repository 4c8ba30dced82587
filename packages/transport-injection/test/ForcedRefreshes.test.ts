import { assert, describe, it } from "@effect/vitest"
import { TokenInjector } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { call, machineRequest, makeSlowAnswer, makeTokens, takesNothing } from "./RefusedTokens.ts"

const request = machineRequest()

/** The clock of the tests begins at zero, which no real clock shows. */
const begin = TestClock.adjust("1000 days")

describe("a refresh that a refusal of the MCP server forces", () => {
  it.effect("thirty seconds after a forced refresh, a refusal forces the next one", () => {
    const tokens = makeTokens()
    return Effect.gen(function* () {
      yield* begin
      yield* tokens.issue("remote")
      assert.strictEqual(yield* call(request, takesNothing), "UpstreamUnauthorized")
      yield* TestClock.adjust(29_999)
      assert.strictEqual(yield* call(request, () => false), "UpstreamUnauthorized")
      assert.lengthOf(tokens.refreshes, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* call(request, (token) => token === "remote-3"), "remote-3")
      assert.lengthOf(tokens.refreshes, 2)
    }).pipe(Effect.provide(tokens.layer))
  })

  it.effect("a token that another process obtained is replaced at once if the server refuses it", () => {
    const tokens = makeTokens()
    return Effect.gen(function* () {
      yield* begin
      yield* tokens.issue("remote")
      // Another process replaces the token while this request is under way.
      const answer = yield* call(request, (token) =>
        token === "remote-1" ? Effect.as(tokens.issue("remote"), false) : false
      )
      assert.strictEqual(answer, "UpstreamUnauthorized")
      assert.lengthOf(tokens.refreshes, 0)
      assert.strictEqual(yield* call(request, (token) => token === "remote-3"), "remote-3")
    }).pipe(Effect.provide(tokens.layer))
  })

  it.effect("a request that began before a forced refresh is made again with its token", () => {
    const tokens = makeTokens()
    return Effect.gen(function* () {
      yield* begin
      yield* tokens.issue("remote")
      const slow = yield* makeSlowAnswer
      const early = yield* Effect.forkChild(
        call(request, (token) => (token === "remote-1" ? slow.answer : true))
      )
      yield* slow.asked
      yield* call(request, takesNothing)
      yield* slow.give(false)
      assert.strictEqual(yield* Fiber.join(early), "remote-2")
      assert.lengthOf(tokens.refreshes, 1)
    }).pipe(Effect.provide(tokens.layer))
  })

  it.effect(
    "a slow answer that accepts the token before a forced refresh says nothing about the new one",
    () => {
      const tokens = makeTokens()
      return Effect.gen(function* () {
        yield* begin
        yield* tokens.issue("remote")
        const slow = yield* makeSlowAnswer
        const early = yield* Effect.forkChild(call(request, () => slow.answer))
        yield* slow.asked
        yield* call(request, takesNothing)
        yield* slow.give(true)
        assert.strictEqual(yield* Fiber.join(early), "remote-1")
        assert.strictEqual(yield* call(request, takesNothing), "UpstreamUnauthorized")
        assert.lengthOf(tokens.refreshes, 1)
      }).pipe(Effect.provide(tokens.layer))
    }
  )

  it.effect("a forced refresh for one server changes nothing for another server", () => {
    const tokens = makeTokens()
    const other = machineRequest("other")
    return Effect.gen(function* () {
      yield* begin
      yield* tokens.issue("remote")
      yield* tokens.issue("other")
      yield* call(request, takesNothing)
      assert.strictEqual(yield* call(other, () => true), "other-1")
      assert.strictEqual(yield* call(other, (token) => token === "other-2"), "other-2")
    }).pipe(Effect.provide(tokens.layer))
  })

  it.effect("two requests that share one forced refresh count as one", () => {
    const tokens = makeTokens()
    return Effect.gen(function* () {
      yield* begin
      yield* tokens.issue("remote")
      const renewal = yield* makeSlowAnswer
      tokens.whileRefreshing = Effect.asVoid(renewal.answer)
      const { replace } = yield* TokenInjector
      const replaceFirst = Effect.forkChild(replace(request, Redacted.make("remote-1"), undefined), {
        startImmediately: true
      })
      const both = [yield* replaceFirst, yield* replaceFirst]
      yield* renewal.asked
      yield* renewal.give(true)
      yield* Fiber.joinAll(both)
      assert.deepStrictEqual(tokens.refreshes, ["remote"])
      tokens.whileRefreshing = Effect.void
      assert.strictEqual(yield* call(request, () => true), "remote-2")
      assert.strictEqual(yield* call(request, (token) => token === "remote-3"), "remote-3")
    }).pipe(Effect.provide(tokens.layer))
  })

  it.effect(
    "ten thousand forced refreshes are remembered, and the least recent one is forgotten first",
    () => {
      const tokens = makeTokens()
      return Effect.gen(function* () {
        yield* begin
        const { replace } = yield* TokenInjector
        const force = Effect.fnUntraced(function* (server: string) {
          const { token } = yield* tokens.issue(server)
          return (yield* replace(machineRequest(server), token.accessToken, undefined)).token.accessToken
        })
        const isReplaced = Effect.fnUntraced(function* (server: string, token: Redacted.Redacted) {
          return !(yield* replace(machineRequest(server), token, undefined)).token.isAccessToken(token)
        })
        yield* force("server-0")
        const second = yield* force("server-1")
        const third = yield* force("server-2")
        for (let index = 3; index < 10_000; index += 1) yield* force(`server-${index}`)
        assert.isFalse(yield* isReplaced("server-1", second))
        // This refresh comes last now, and the next one takes the place of the second server's.
        yield* call(machineRequest("server-0"), () => true)
        const first = yield* force("server-0")
        yield* force("server-10000")
        assert.deepStrictEqual(
          [
            yield* isReplaced("server-0", first),
            yield* isReplaced("server-2", third),
            yield* isReplaced("server-1", second)
          ],
          [false, false, true]
        )
      }).pipe(Effect.provide(tokens.layer))
    }
  )
})
