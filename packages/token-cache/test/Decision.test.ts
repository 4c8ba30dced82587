import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import { endAcquisition, leaveAcquisition } from "../src/memory/AcquisitionState.ts"
import { emptySlot, type CacheSlot } from "../src/memory/CacheSlot.ts"
import { decide, type Decision, type DecisionRequest } from "../src/memory/Decision.ts"
import { toMemoryToken } from "../src/memory/MemoryToken.ts"
import { beginRemoval, endRemoval } from "../src/memory/RemovalState.ts"
import { firstRenewal, keyOf, tokenOf } from "./fixtures.ts"

const asking = (options: Partial<DecisionRequest> = {}): DecisionRequest => ({
  expiryBuffer: Duration.seconds(10),
  storeCheckInterval: Duration.infinity,
  acquisitionId: 1,
  ...options
})

/** What was decided for each request, one after the other, and the slot in the end. */
const run = (slot: CacheSlot, now: number, ...requests: ReadonlyArray<Partial<DecisionRequest>>) => {
  let current = slot
  const decisions: Array<Decision> = []
  for (const request of requests) {
    const [decision, next] = decide(current, now, asking(request))
    decisions.push(decision)
    current = next
  }
  return { tags: decisions.map(({ _tag }) => _tag), decisions, slot: current }
}

const nothing = emptySlot(keyOf("server"))

/** A token of 100 s, taken in at time 0. */
const holding = (): CacheSlot => {
  const { slot } = run(nothing, 0, {})
  const cached = toMemoryToken(tokenOf("1", { expiresAt: 100_000 }), { wall: 0, monotonic: 0 })
  return endAcquisition(slot, 0, { _tag: "Obtained", cached })[1]
}

const acquisitionOf = (decision: Decision | undefined) =>
  decision?._tag === "Lead" || decision?._tag === "Join" ? decision.acquisition : undefined

describe("decide", () => {
  it("the first caller leads and the others join", () => {
    const { decisions, tags } = run(nothing, 0, {}, {}, { forceRefresh: true })
    assert.deepStrictEqual(tags, ["Lead", "Join", "Join"])
    const [led, joined, last] = decisions.map(acquisitionOf)
    assert.strictEqual(joined?.outcome, led?.outcome)
    assert.strictEqual(last?.waiters, 3)
  })

  it("the given slot is not mutated", () => {
    const before = holding()
    run(before, 95_000, {}, { forceRefresh: true }, { refused: Redacted.make("1") })
    const [again] = run(before, 0, {}).decisions
    assert.deepStrictEqual(again?._tag === "Hit" && again.renewal, undefined)
  })

  it("a hit changes nothing", () => {
    const before = holding()
    assert.strictEqual(run(before, 50_000, {}).slot, before)
  })

  it("one renewal starts in the margin, and none before", () => {
    const renewals = (now: number) =>
      run(holding(), now, {}, {}).decisions.map(
        (decision) => decision._tag === "Hit" && decision.renewal !== undefined
      )
    assert.deepStrictEqual(renewals(firstRenewal("1") - 1), [false, false])
    assert.deepStrictEqual(renewals(firstRenewal("1")), [true, false])
  })

  it("callers past expiry lead or join, and the expiry is reported once", () => {
    const { decisions, tags } = run(holding(), 100_000, {}, {})
    assert.deepStrictEqual(tags, ["Lead", "Join"])
    assert.deepStrictEqual(
      decisions.map(({ expired }) => expired),
      [true, false]
    )
  })

  it("a refused token is taken out of service, and no other one", () => {
    const refused = Redacted.make("1")
    assert.deepStrictEqual(run(holding(), 0, { refused }, {}).tags, ["Lead", "Join"])
    assert.deepStrictEqual(run(holding(), 0, { refused: Redacted.make("0") }).tags, ["Hit"])
  })

  it("all callers wait while a token is being invalidated, until the acquisition has ended, too", () => {
    const { slot } = run(nothing, 0, {})
    const [, removing] = beginRemoval(slot, Deferred.makeUnsafe())
    const [first, halfway] = endRemoval(removing)
    assert.isUndefined(first)
    assert.deepStrictEqual(run(halfway, 0, {}, { forceRefresh: true }).tags, ["Wait", "Wait"])
    const cached = toMemoryToken(tokenOf("1"), { wall: 0, monotonic: 0 })
    const [last, done] = endAcquisition(halfway, 0, { _tag: "Obtained", cached })
    assert.isDefined(last)
    assert.deepStrictEqual(run(done, 0, {}).tags, ["Lead"])
  })

  it("all callers wait while an abandoned acquisition is ending", () => {
    const { decisions, slot } = run(nothing, 0, {}, {})
    const acquisitionId = acquisitionOf(decisions[0])?.id ?? -1
    const [one, fewer] = leaveAcquisition(slot, acquisitionId)
    assert.isFalse(one)
    const [last, none] = leaveAcquisition(fewer, acquisitionId)
    assert.isTrue(last)
    assert.deepStrictEqual(run(none, 0, {}).tags, ["Wait"])
    const [, done] = endAcquisition(none, 0, { _tag: "Interrupted" })
    assert.deepStrictEqual(run(done, 0, {}).tags, ["Lead"])
  })
})
