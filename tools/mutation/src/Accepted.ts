/** A change that no test can notice, or that none needs to, with the reason. */
export interface Accepted {
  readonly file: string
  /** As the report writes it. */
  readonly mutant: string
  readonly because: string
}

export const accepted: ReadonlyArray<Accepted> = []
