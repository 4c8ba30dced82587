import { conditionName, switchName } from "./SwitchedSource.ts"

/** The switch that the source asks at each mutant, in the process of the tests. */
export class MutantSwitch {
  #active: number | undefined
  #evaluations = 0
  #limit = 0
  /** By mutant. */
  #counts: Array<number> = []

  install() {
    Reflect.set(globalThis, switchName, (mutant: number, isCondition = false) =>
      this.#isActive(mutant, isCondition)
    )
    Reflect.set(globalThis, conditionName, (mutant: number, other: boolean, value: unknown) => {
      // A condition that has the mutant's value already tells nothing.
      if (this.#active === undefined && Boolean(value) !== other) this.#count(mutant)
      return value
    })
  }

  #count(mutant: number) {
    this.#counts[mutant] = (this.#counts[mutant] ?? 0) + 1
  }

  #isActive(mutant: number, isCondition: boolean): boolean {
    if (this.#active === undefined) {
      if (!isCondition) this.#count(mutant)
      return false
    }
    this.#evaluations += 1
    if (this.#evaluations > this.#limit) throw new Error("A mutant made an endless loop")
    return this.#active === mutant
  }

  /** An endless loop ends after `limit` evaluations of any mutants. */
  activate(mutant: number, limit: number) {
    this.#active = mutant
    this.#evaluations = 0
    this.#limit = limit
  }

  deactivate() {
    this.#active = undefined
  }

  /** How often each mutant would have made a difference since the last call, while none was active. */
  takeReached(): ReadonlyMap<number, number> {
    const counts = this.#counts
    this.#counts = []
    return new Map(counts.flatMap((count, mutant) => (count > 0 ? [[mutant, count]] : [])))
  }
}
