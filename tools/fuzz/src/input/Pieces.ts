import * as fc from "fast-check"

/** Bytes in the pieces in which a connection delivers them: a cut may be anywhere. */
export const inPieces = (bytes: fc.Arbitrary<string>): fc.Arbitrary<ReadonlyArray<string>> =>
  fc
    .tuple(bytes, fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { maxLength: 6 }))
    .map(([text, cuts]) => {
      const places = cuts.map((cut) => Math.floor(cut * text.length)).toSorted((a, b) => a - b)
      return [0, ...places].map((start, index) => text.slice(start, places[index] ?? text.length))
    })
