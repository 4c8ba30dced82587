/** A change that no test can notice, or that none needs to, with the reason. */
export interface Accepted {
  readonly file: string
  /** As the report writes it. */
  readonly mutant: string
  readonly because: string
}

export const accepted: ReadonlyArray<Accepted> = [
  {
    file: "packages/transport-injection/src/EntryInjection.ts",
    mutant: "cached === undefined -> false",
    because: "There is always a token here: an entry that needs none was returned before"
  }
]
