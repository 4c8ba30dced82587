import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Attack, makeTally } from "../src/attack/Attack.ts"
import { gotThrough, report } from "../src/attack/Report.ts"
import { attacks } from "../src/Catalogue.ts"

const attack: Attack = {
  name: "an-attack",
  tries: "something; through: something",
  run: () => Effect.succeed(makeTally().outcome())
}

describe("the report of an attack", () => {
  it("an attack that was held is one line with its figures", () => {
    const tally = makeTally()
    tally.expect(true, "never")
    tally.figure("memory", 12.4, " MiB")
    const outcome = tally.outcome()
    assert.strictEqual(gotThrough(outcome), 0)
    assert.match(
      report(attack, outcome, 1.25),
      /^held +an-attack +tried 1, got through 0 +memory 12 MiB +\(1\.3 s\)$/
    )
  })

  it("what got through is counted, and each kind of it has a line", () => {
    const tally = makeTally()
    for (const isHeld of [true, false, false]) tally.expect(isHeld, "a door stood open")
    tally.expect(false, "a window stood open")
    const outcome = tally.outcome()
    assert.strictEqual(gotThrough(outcome), 3)
    const [head, ...kinds] = report(attack, outcome, 1).split("\n")
    assert.match(head ?? "", /^THROUGH +an-attack +tried 4, got through 3/)
    assert.deepStrictEqual(kinds, ["        - a door stood open (2)", "        - a window stood open"])
  })
})

describe("the catalogue of attacks", () => {
  it("every attack has a name of its own, and says what counts as got through", () => {
    assert.isAbove(attacks.length, 20)
    assert.strictEqual(new Set(attacks.map(({ name }) => name)).size, attacks.length)
    for (const { name, tries } of attacks) {
      assert.match(name, /^[a-z0-9-]+$/)
      assert.include(tries, "; through: ", name)
    }
  })
})
