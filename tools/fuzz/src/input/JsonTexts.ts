import * as fc from "fast-check"
import { bytesOf, hostileText, longestText, sometimesDamaged } from "./Texts.ts"

/** Values of a member of a JSON object: what belongs there, and what does not. */
const valueOr = (good: fc.Arbitrary<unknown>, secrets: ReadonlyArray<string>): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 12, arbitrary: good },
    { weight: 3, arbitrary: hostileText(secrets) },
    { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
    { weight: 2, arbitrary: fc.constantFrom(null, 0, -1, 1e308, true, false, "", [], {}, [[]], "0") },
    { weight: 1, arbitrary: fc.array(hostileText(secrets), { maxLength: 5 }) }
  )

/** JSON objects of which each member may be absent, right or wrong, with members that nobody knows. */
export const objectOf = (
  members: Readonly<Record<string, fc.Arbitrary<unknown>>>,
  secrets: ReadonlyArray<string> = []
): fc.Arbitrary<object> =>
  fc
    .tuple(
      fc.record(
        Object.fromEntries(Object.entries(members).map(([key, good]) => [key, valueOr(good, secrets)])),
        { requiredKeys: [] }
      ),
      fc.oneof(
        { weight: 6, arbitrary: fc.constant({}) },
        {
          weight: 1,
          arbitrary: fc.dictionary(hostileText(), fc.jsonValue({ maxDepth: 1 }), { maxKeys: 3 })
        }
      )
    )
    .map(([known, unknown]) => merged(unknown, known))

/** Also with a member named `__proto__`. */
const merged = (first: object, second: object): object => ({ ...first, ...second })

/** Texts that are no object, and objects of a shape that is costly to read. */
const extreme: fc.Arbitrary<string> = fc.oneof(
  fc.integer({ min: 1, max: longestText / 2 }).map((depth) => "[".repeat(depth) + "]".repeat(depth)),
  fc
    .integer({ min: 1, max: Math.floor(longestText / 6) })
    .map((depth) => '{"a":'.repeat(depth) + "1" + "}".repeat(depth)),
  fc
    .integer({ min: 1, max: 6000 })
    .map((count) => `{${Array.from({ length: count }, (_, index) => `"k${index}":1`).join()}}`),
  fc.integer({ min: 1, max: 9000 }).map((count) => `[${"{},".repeat(count)}{}]`),
  fc.json(),
  fc.constantFrom("", "null", "0", '""', "[]", "{}", "{", '"', "\uFEFF{}", "{}{}", "<html></html>")
)

/** JSON texts of objects, sometimes damaged, and texts that are something else, as bytes. */
export const jsonBytes = (
  objects: fc.Arbitrary<object>,
  secrets: ReadonlyArray<string> = []
): fc.Arbitrary<string> =>
  fc
    .oneof(
      {
        weight: 12,
        arbitrary: sometimesDamaged(
          objects.map((value) => JSON.stringify(value)),
          hostileText(secrets)
        )
      },
      { weight: 1, arbitrary: extreme }
    )
    .map(bytesOf)
