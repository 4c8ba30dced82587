/** What a client made of an answer: it took it and read these fields, or it refused it. */
export type Verdict =
  | { readonly verdict: "accepted"; readonly read: Readonly<Record<string, unknown>> }
  | { readonly verdict: "refused" }

/** The answer counts, and this was read from it. What is undefined was not there. */
export const accepted = (read: Readonly<Record<string, unknown>> = {}): Verdict => ({
  verdict: "accepted",
  read: Object.fromEntries(Object.entries(read).filter(([, value]) => value !== undefined))
})

/** The answer does not count. */
export const refused: Verdict = { verdict: "refused" }

/** Where the two clients differ, and why ours is right to. */
export interface Difference {
  readonly ours: Verdict
  readonly oracle: Verdict
  readonly because: string
}

/** A hostile or odd input, and what is expected of it: one verdict of both clients, or a difference with its reason. */
export type Row<Input> = readonly [name: string, input: Input, expected: Verdict | Difference]

/** The verdict that each of the two clients has to give. */
export const expectedOf = (expected: Verdict | Difference) =>
  "because" in expected
    ? { ours: expected.ours, oracle: expected.oracle }
    : { ours: expected, oracle: expected }
