import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { basename } from "node:path"
import { targets } from "../src/Catalogue.ts"
import { corpus, readCorpus } from "../src/run/Corpus.ts"
import { runSession } from "../src/run/Session.ts"

describe("inputs that once broke an invariant", () => {
  for (const kept of readCorpus(corpus)) {
    it.live(`${kept.target}/${basename(kept.file)} breaks none any more`, () =>
      Effect.gen(function* () {
        const results = yield* runSession({
          targets: targets.filter(({ name }) => name === kept.target),
          seconds: 0,
          seed: 0,
          kept: [kept],
          noteInput: () => undefined
        })
        assert.deepStrictEqual(results, [{ name: kept.target, tried: 1, findings: [] }])
      })
    )
  }
})
