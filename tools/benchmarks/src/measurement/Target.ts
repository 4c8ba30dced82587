/** The figure of a rival, or another figure of ours, that a target is measured by. */
export type Reference =
  /** The best of these rivals in the same round; those that are not installed do not count. */
  | { readonly rivals: ReadonlyArray<string>; readonly figure?: string }
  /** Another figure of ours in the same round. */
  | { readonly ours: string }

/** What is to be reached. */
export interface Target {
  readonly figure: string
  readonly bound: "at most" | "at least"
  /** Times the reference; without a reference the number itself, in the unit of the figure. */
  readonly factor: number
  readonly of?: Reference
  /** Added to the product, in the unit of the figure. */
  readonly plus?: number
}

/** At most this many times the best of the rivals, or another figure of ours. */
export const atMost = (figure: string, factor: number, of?: Reference, plus = 0): Target => ({
  figure,
  bound: "at most",
  factor,
  plus,
  ...(of === undefined ? {} : { of })
})

/** At least this many times the best of the rivals, or another figure of ours. */
export const atLeast = (figure: string, factor: number, of?: Reference): Target => ({
  figure,
  bound: "at least",
  factor,
  ...(of === undefined ? {} : { of })
})
