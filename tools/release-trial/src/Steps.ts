/** What a step is measured by, beside its time. */
export interface Measure {
  /** What a stranger writes for it: a program, or a command. */
  readonly lines?: number | undefined
  /** What is on the disk for it: the published packages, or what is installed. */
  readonly bytes?: number | undefined
}

/** Does a step, and prints its time, its lines and its bytes. Rejects with the step's name where it fails. */
export const step = async <A>(
  title: string,
  work: () => Promise<A>,
  measure: (result: A) => Measure = () => ({})
): Promise<A> => {
  const start = performance.now()
  const result = await work().catch((cause: unknown) => {
    throw new Error(`${title}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  })
  const seconds = (performance.now() - start) / 1000
  const { bytes, lines } = measure(result)
  printRow(title, seconds.toFixed(1), lines ?? "", bytes === undefined ? "" : bytes.toLocaleString("en"))
  return result
}

/** The heads of the columns. */
export const printHeads = (): void => printRow("step", "seconds", "lines", "bytes")

const printRow = (title: string, seconds: string, lines: number | string, bytes: string): void =>
  void process.stdout.write(
    `${title.padEnd(44)}${seconds.padStart(9)}${String(lines).padStart(7)}${bytes.padStart(15)}\n`
  )
