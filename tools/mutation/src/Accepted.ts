/** A change that no test can notice, or that none needs to, with the reason. */
export interface Accepted {
  readonly file: string
  /** As the report writes it. */
  readonly mutant: string
  readonly because: string
}

export const accepted: ReadonlyArray<Accepted> = [
  {
    file: "packages/transport-injection/src/EndedGrants.ts",
    mutant: '"Again" -> ""',
    because: "Callers ask for the two other outcomes only; the text is for those who read the code"
  },
  {
    file: "packages/transport-injection/src/EndedGrants.ts",
    mutant:
      "grants.get(tokenOwnerKey(request))?.uselessUntil ?? 0 -> grants.get(tokenOwnerKey(request))?.uselessUntil",
    because: "No time is before `undefined`, as none is before 0"
  },
  {
    file: "packages/transport-injection/src/EndedGrants.ts",
    mutant: "grants.size === 0 -> false",
    because: "Saves the work of a key for every request; the result is the same"
  },
  {
    file: "packages/transport-injection/src/EntryInjection.ts",
    mutant: "cached === undefined -> false",
    because: "There is always a token here: an entry that needs none was returned before"
  },
  {
    file: "packages/transport-injection/src/ForcedRefreshes.ts",
    mutant: "refreshes.size === 0 -> false",
    because: "Saves the work of a key for every request; the result is the same"
  },
  {
    file: "packages/transport-injection/src/ServerEntry.ts",
    mutant: "isJsonObject(input) -> true",
    because: "What is no object was refused before"
  },
  {
    file: "packages/transport-injection/src/ServerEntry.ts",
    mutant: 'config.command ?? "" -> config.command',
    because: "An entry without a URL has a command, or it was refused before"
  },
  {
    file: "packages/transport-injection/src/ServerEntry.ts",
    mutant: "userAgent === undefined -> false",
    because: 'The text "undefined" would be a user agent without a problem'
  },
  {
    file: "packages/transport-injection/src/ServerEntry.ts",
    mutant: '"2.0" -> ""',
    because: 'The rule asks only whether the version is "2.1"'
  }
]
