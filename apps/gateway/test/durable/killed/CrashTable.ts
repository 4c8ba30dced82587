/** What survived of one operation when it was killed before each of its steps, in order; the last one was not killed. */
export interface Survival {
  readonly operation: string
  readonly store: string
  readonly steps: ReadonlyArray<{ readonly step: string; readonly survived: string }>
}

/** A table for people: consecutive steps after which the same survived are one row. */
export const formatSurvivals = (survivals: ReadonlyArray<Survival>): string => {
  const rows = survivals.flatMap(({ operation, steps, store }) =>
    segments(named(steps)).map(({ first, last, survived }) => [
      operation,
      store,
      first === last ? first : `${first} … ${last}`,
      survived
    ])
  )
  return formatTable([["operation", "store", "killed before", "what survives"], ...rows])
}

/** A step that comes several times has a number. */
const named = (steps: Survival["steps"]) =>
  steps.map(({ step, survived }, index) => {
    const isRepeated = steps.some((other, place) => place !== index && other.step === step)
    const nth = steps.slice(0, index + 1).filter((other) => other.step === step).length
    return { step: isRepeated ? `${step} (${nth})` : step, survived }
  })

const segments = (steps: Survival["steps"]) => {
  const starts = steps.flatMap(({ survived }, index) =>
    steps[index - 1]?.survived === survived ? [] : [index]
  )
  return starts.map((start, index) => {
    const segment = steps.slice(start, starts[index + 1])
    return {
      first: segment[0]?.step ?? "",
      last: segment.at(-1)?.step ?? "",
      survived: segment[0]?.survived ?? ""
    }
  })
}

/** Columns as wide as their widest cell, as the formatter of this repository wants them. */
const formatTable = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: ReadonlyArray<string>) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`
  const [head = [], ...body] = rows
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n")
}

const [begin, end] = ["<!-- The test writes this table. -->", "<!-- End of the table. -->"]

/** The page with this table in place of the one that it has. */
export const withTable = (page: string, table: string): string => {
  const [before = ""] = page.split(begin)
  const after = page.split(end)[1] ?? ""
  return `${before}${begin}\n\n${table}\n\n${end}${after}`
}
