/** How often things happen at most in one run, by the names of the model: `CRASHES`, `OUTAGES`, … */
export type Bounds = Readonly<Record<string, number>>

/** A check of a model with every rule. It must find no error. */
export interface FullCheck {
  readonly name: string
  readonly bounds: Bounds
  /** Looks for runs that never end, instead of violated invariants. */
  readonly cycles?: boolean
}

/** A rule that protects an invariant: without the rule an error must be found. */
export interface RuleCheck {
  readonly rule: string
  /** The number of the invariant that is violated first. */
  readonly invariant: number
  readonly bounds: Bounds
}

/** Each check is small enough to be explored fully in seconds; together they cover what can happen, in pairs at least. */
export const fullChecks: ReadonlyArray<FullCheck> = [
  { name: "two crashes and a failing store", bounds: { CRASHES: 2, OUTAGES: 1 } },
  {
    name: "a crash, a lost lease and a lost answer",
    bounds: { CRASHES: 1, PAUSES: 1, FAULTS: 1 }
  },
  { name: "a caller who leaves", bounds: { LEAVES: 1, CRASHES: 1, OUTAGES: 1 } },
  {
    name: "logout, revocation and login beside a crash and a lost lease",
    bounds: { CALLERS: 1, PERSON: 2, CRASHES: 1, PAUSES: 1 }
  },
  {
    name: "logout, revocation and login beside a failing store",
    bounds: { CALLERS: 1, PERSON: 2, OUTAGES: 1 }
  },
  { name: "a store that loses its data", bounds: { LOSSES: 1, CRASHES: 1, PAUSES: 1 } },
  {
    name: "every run ends",
    bounds: { CALLERS: 1, PERSON: 1, CRASHES: 1, OUTAGES: 1 },
    cycles: true
  }
]

export const ruleChecks: ReadonlyArray<RuleCheck> = [
  { rule: "second look", invariant: 1, bounds: { CALLERS: 1 } },
  { rule: "newer in memory", invariant: 1, bounds: { OUTAGES: 1 } },
  { rule: "retry unused", invariant: 1, bounds: { FAULTS: 1 } },
  { rule: "refused tokens", invariant: 1, bounds: { FAULTS: 1 } },
  { rule: "fence", invariant: 2, bounds: { CALLERS: 1, PERSON: 1 } },
  { rule: "removal record", invariant: 2, bounds: { CALLERS: 1, PERSON: 1 } },
  { rule: "lease until written", invariant: 3, bounds: { OUTAGES: 1 } },
  { rule: "uninterruptible refresh", invariant: 3, bounds: { LEAVES: 1 } },
  { rule: "removal once", invariant: 3, bounds: { CALLERS: 1, PERSON: 2 } },
  { rule: "answer to all", invariant: 4, bounds: { OUTAGES: 1 } },
  { rule: "end of leases", invariant: 4, bounds: { CRASHES: 1 } },
  { rule: "end of removal", invariant: 4, bounds: { CALLERS: 1, PERSON: 1 } }
]

/** The switch that takes a rule out of the model. */
export const switchOf = (rule: string): string => `WITHOUT_${rule.toUpperCase().replaceAll(" ", "_")}`
