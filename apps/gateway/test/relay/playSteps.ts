import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"

/** Plays steps in a hundred random orders, always the same ones, on the test clock and without a log. */
export const playSteps = <Step>(
  step: fc.Arbitrary<Step>,
  maxLength: number,
  check: (steps: ReadonlyArray<Step>) => Effect.Effect<void, never, Scope.Scope>
) => {
  const environment = Layer.merge(TestClock.layer(), Logger.layer([]))
  const property = fc.asyncProperty(fc.array(step, { maxLength }), (steps) =>
    Effect.runPromise(check(steps).pipe(Effect.scoped, Effect.provide(environment)))
  )
  return fc.check(property, { numRuns: 100, seed: 2025 })
}
