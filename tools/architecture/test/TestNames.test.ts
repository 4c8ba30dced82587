import { assert, describe, it } from "@effect/vitest"
import { testNames } from "../src/TestNames.ts"
import { typeScriptFiles } from "../src/Workspace.ts"

/** A name that begins so continues the name of another test. */
const continuation = /^(and|but|or|nor|so|then|also|too|yet)\b/i

describe("a test", () => {
  it("has a name that stands alone", () => {
    const files = typeScriptFiles("{packages,apps,tools}/*/test/**/*.test.ts")
    const names = files.flatMap((file) => testNames(file).map((name) => ({ file, name })))
    assert.isAbove(names.length, 800)
    assert.deepStrictEqual(
      names.filter(({ name }) => continuation.test(name)),
      []
    )
  })
})

describe("the names of tests", () => {
  it("are found in every form of it", () => {
    const text = [
      'it("one", () => {})',
      'it.effect("two", () => {})',
      'it.effect.each([1])("three %s", () => {})',
      "test.each([1])(`four`, () => {})",
      'describe("not this", () => {})',
      'say("nor this")'
    ].join("\n")
    assert.deepStrictEqual(testNames("File.test.ts", text), ["one", "two", "three %s", "four"])
  })
})
