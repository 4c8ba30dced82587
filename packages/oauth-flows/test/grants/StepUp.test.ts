import { assert, describe, it } from "@effect/vitest"
import { type Challenge, OAuthToken } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { StepUps } from "../../src/grants/StepUp.ts"
import { requestFor } from "../TestGrants.ts"

const insufficient = { error: "insufficient_scope", scope: "read write" } satisfies Challenge
const entry = requestFor({ token_url: "https://as.example.com/token" })
const requestOf = (subject: string, challenge: Challenge = insufficient) => ({
  ...entry,
  subject,
  challenge
})
const request = requestOf("alice")
const unscoped = new OAuthToken({
  accessToken: Redacted.make("token"),
  tokenType: "Bearer",
  issuedAt: 0,
  reusable: true
})
const tokenWith = (...scope: ReadonlyArray<string>) => new OAuthToken({ ...unscoped, scope })

const withStepUps = <A, E>(use: (stepUps: StepUps["Service"]) => Effect.Effect<A, E>) =>
  Effect.provide(Effect.flatMap(StepUps, use), StepUps.layer)

const requireTag = (stepUps: StepUps["Service"], subject = "alice") =>
  Effect.map(Effect.flip(stepUps.require(requestOf(subject), undefined)), ({ _tag }) => _tag)

describe("the count of step-ups", () => {
  it.effect("a person is not asked a fourth time, until ten minutes after the last consent are over", () =>
    withStepUps((stepUps) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(1_800_000_000_000)
        yield* stepUps.consented(request)
        assert.strictEqual(yield* requireTag(stepUps), "AuthorizationRequired")
        yield* stepUps.consented(request)
        assert.strictEqual(yield* requireTag(stepUps), "StepUpExhausted")
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual(yield* requireTag(stepUps), "StepUpExhausted")
        yield* TestClock.adjust("1 milli")
        assert.strictEqual(yield* requireTag(stepUps), "AuthorizationRequired")
      })
    )
  )

  it.effect("a consent that no challenge for more scope asked for does not count", () =>
    withStepUps((stepUps) =>
      Effect.gen(function* () {
        const plain = requestOf("alice", { error: "invalid_token" })
        yield* Effect.replicateEffect(stepUps.consented(plain), 5)
        assert.strictEqual(yield* requireTag(stepUps), "AuthorizationRequired")
      })
    )
  )

  it.effect("the person of more than a thousand who consented the longest ago is forgotten first", () =>
    withStepUps((stepUps) =>
      Effect.gen(function* () {
        yield* Effect.replicateEffect(stepUps.consented(requestOf("first")), 2)
        yield* Effect.replicateEffect(stepUps.consented(requestOf("second")), 2)
        for (let n = 3; n <= 1000; n += 1) yield* stepUps.consented(requestOf(`person ${n}`))
        assert.strictEqual(yield* requireTag(stepUps, "first"), "StepUpExhausted")
        yield* stepUps.consented(requestOf("first"))
        yield* stepUps.consented(requestOf("one more"))
        assert.strictEqual(yield* requireTag(stepUps, "first"), "StepUpExhausted")
        assert.strictEqual(yield* requireTag(stepUps, "second"), "AuthorizationRequired")
      })
    )
  )

  it.effect("a client that asks for the same scope in another order is stopped, and told the scope", () =>
    withStepUps((stepUps) =>
      Effect.gen(function* () {
        yield* stepUps.requested(request, "read write")
        yield* stepUps.requested(request, "write read")
        const { attempts, message, scope } = yield* Effect.flip(stepUps.requested(request, "read write"))
        assert.deepStrictEqual([attempts, scope], [3, "read write"])
        assert.include(message, "read write")
        yield* stepUps.requested(request, "read")
      })
    )
  )

  it.effect("a client that asks for no scope is stopped, too", () =>
    withStepUps((stepUps) =>
      Effect.gen(function* () {
        yield* stepUps.requested(request, undefined)
        yield* stepUps.requested(request, undefined)
        const error = yield* Effect.flip(stepUps.requested(request, undefined))
        assert.notProperty(error, "scope")
      })
    )
  )
})

describe("a token that has the wanted scope already", () => {
  it.effect("it is refreshed once before a person is asked, and once more after a consent", () =>
    withStepUps((stepUps) =>
      Effect.gen(function* () {
        const token = tokenWith("read", "write")
        assert.isTrue(yield* stepUps.refreshesFirst(request, token))
        assert.isFalse(yield* stepUps.refreshesFirst(request, token))
        yield* stepUps.consented(request)
        assert.isTrue(yield* stepUps.refreshesFirst(request, token))
        yield* stepUps.consented(request)
        assert.isFalse(yield* stepUps.refreshesFirst(request, token), "the person was asked too often")
      })
    )
  )

  const lacking = [
    ["has a part of it", tokenWith("read"), insufficient],
    ["has another scope", tokenWith("admin"), insufficient],
    ["has none", unscoped, insufficient],
    ["is missing", undefined, insufficient],
    [
      "cannot be compared with a challenge without a scope",
      tokenWith("read"),
      { error: "insufficient_scope" }
    ]
  ] as const
  it.effect.each(lacking)("no refresh is tried if the token %s", ([, token, challenge]) =>
    withStepUps((stepUps) =>
      Effect.gen(function* () {
        assert.isFalse(yield* stepUps.refreshesFirst(requestOf("alice", challenge), token))
      })
    )
  )
})
