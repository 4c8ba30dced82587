/** What an installation of one package brings, as the README says it. */
export interface InstalledRow {
  readonly name: string
  /** The packages that it names itself, without the optional ones. */
  readonly dependencies: ReadonlyArray<string>
  /** How many packages, itself included. */
  readonly packages: number
  readonly bytes: number
}

/** The heading below which the table stands. */
export const tableHeading = "### What each one installs"

/** A row of the table of the README. */
export const rowOf = ({ bytes, dependencies, name, packages }: InstalledRow): string => {
  const direct = dependencies.length === 0 ? "–" : dependencies.map((one) => `\`${one}\``).join(", ")
  return `| \`${name}\` | ${direct} | ${packages} | ${(bytes / 1024 / 1024).toFixed(1)} MiB |`
}

/** The README with a new table. */
export const withTable = (readme: string, rows: ReadonlyArray<InstalledRow>): string => {
  const heading = readme.indexOf(tableHeading)
  const start = readme.indexOf("\n|", heading) + 1
  const end = readme.indexOf("\n\n", start)
  if (heading === -1 || start === 0 || end === -1)
    throw new Error(`The README has no table below "${tableHeading}"`)
  const table = [
    "| package | needs | packages in all | size |",
    "| --- | --- | --- | --- |",
    ...rows.map(rowOf)
  ]
  return readme.slice(0, start) + table.join("\n") + readme.slice(end)
}
