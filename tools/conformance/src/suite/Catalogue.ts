/** A scenario of the suite, and where it applies. */
export interface Scenario {
  readonly name: string
  readonly revision: string
  /** An extension of MCP belongs to no revision: the suite has to be told to run it at one all the same. */
  readonly isExtension: boolean
}

/** The revisions at which extensions are run: the last one with sessions, and the stateless one. */
const extensionRevisions: ReadonlyArray<string> = ["2025-11-25", "2026-07-28"]

/** Every authorization scenario of the client side at every revision it applies to, from what `conformance list` prints. */
export const authScenarios = (listing: string): ReadonlyArray<Scenario> =>
  [...listing.matchAll(/^ {2}- (auth\/\S+) \[([^\]]+)\]$/gm)].flatMap(([, name = "", tags = ""]) => {
    const isExtension = tags === "extension"
    const revisions = isExtension ? extensionRevisions : tags.split(",")
    return revisions.map((revision) => ({ name, revision, isExtension }))
  })

/** The scenarios that a revision requires of servers, from what `conformance list --requirements` prints. */
export const requiredServerScenarios = (listing: string): ReadonlyArray<string> => {
  const [, section = ""] = /^Server scenarios[^\n]*\n((?: {2}- \S+\n)+)/m.exec(listing) ?? []
  return [...section.matchAll(/^ {2}- (\S+)$/gm)].map(([, name = ""]) => name)
}
