import { assert, describe, it } from "@effect/vitest"
import { testNames } from "../src/TestNames.ts"
import { typeScriptFiles } from "../src/Workspace.ts"

/** A name that begins so continues the name of another test. */
const continuation = /^(and|but|or|nor|so|then|also|too(?! (?:many|much))|yet)\b/i

/**
 * A name that begins so has no subject of its own: a relative clause, a phrase that qualifies a noun, or a predicate.
 * Words that can begin a whole sentence ("without a refresh token a person has to log in") are not among them.
 */
const fragment =
  /^(that|who|whose|whom|which|where|than|as|of|to|by|because|being|is|are|was|were|may|might|must|can|cannot|could|should)\b/i

const standsAlone = (name: string) => !continuation.test(name) && !fragment.test(name)

describe("a test", () => {
  it("a test's name stands alone", () => {
    const files = typeScriptFiles("{packages,apps,examples,tools}/*/test/**/*.test.ts")
    const names = files.flatMap((file) => testNames(file).map((name) => ({ file, name })))
    assert.isAbove(names.length, 800)
    assert.deepStrictEqual(
      names.filter(({ name }) => !standsAlone(name)),
      []
    )
  })
})

describe("the names of tests", () => {
  it.each([
    "and a fresh one that is refused, too",
    "that is empty is never replaced",
    "of a later version is not damaged",
    "who comes while it ends starts anew",
    "are masked",
    "must exist"
  ])("%j does not stand alone", (name) => {
    assert.isFalse(standsAlone(name))
  })

  it.each([
    "without a refresh token a person has to log in",
    "in the margin the token is served at once",
    "after invalid_grant a person has to log in",
    "refuses a challenge of another issuer",
    "android clients are served",
    "too many messages are an error",
    "%s is reserved"
  ])("%j stands alone", (name) => {
    assert.isTrue(standsAlone(name))
  })

  it("test names are found in every form of it", () => {
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
