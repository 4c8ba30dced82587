import * as Schema from "effect/Schema"

/** What a protected resource said in `WWW-Authenticate: Bearer` (RFC 6750 §3, RFC 9728 §5.1). */
export const Challenge = Schema.Struct({
  /** `invalid_token`, `insufficient_scope`, … */
  error: Schema.optional(Schema.String),
  /** The scope that the request needs, space-separated. */
  scope: Schema.optional(Schema.String),
  /** Where the resource's metadata is, as it was written. */
  resourceMetadata: Schema.optional(Schema.String)
})

/** What a protected resource said in `WWW-Authenticate: Bearer`. */
export interface Challenge extends Schema.Schema.Type<typeof Challenge> {}

/** Whether the token is valid but lacks scope (RFC 6750 §3.1), so that more scope has to be asked for. */
export const asksForMoreScope = (challenge: Challenge | undefined): boolean =>
  challenge?.error === "insufficient_scope"

/**
 * The Bearer challenge among the values of `WWW-Authenticate`, or undefined if there is none. A field may hold several
 * challenges, and a parameter may be quoted (RFC 9110 §11.6.1). Parsing stops at text that does not fit that grammar,
 * and the result holds what came before it.
 */
export const parseChallenge = (values: string | ReadonlyArray<string> | undefined): Challenge | undefined => {
  const challenges = [values ?? []].flat().flatMap(parseChallenges)
  const bearers = challenges.filter(({ scheme }) => scheme === "bearer")
  const [bearer] = bearers
  if (bearer === undefined) return undefined
  const places = new Set(bearers.flatMap(({ resourceMetadata }) => resourceMetadata))
  const [place] = places
  return {
    error: bearer.parameters.get("error"),
    scope: bearer.parameters.get("scope"),
    // Of two places none can be trusted more than the well-known one.
    resourceMetadata: places.size === 1 ? place : undefined
  }
}

interface AnyChallenge {
  readonly scheme: string
  /** By name in lower case. The first of two with one name counts. */
  readonly parameters: Map<string, string>
  /** Every value of `resource_metadata`. */
  readonly resourceMetadata: Array<string>
}

/** A parameter, or, where no `=` follows, the scheme of the next challenge with the credentials some schemes have. */
const element =
  /[\s,]*(?<name>[\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"(?<quoted>(?:[^"\\]|\\.)*)"|(?<plain>[^\s,"]+))|(?: +[\w.~+/-]+=*(?=\s*(?:,|$)))?)/y

const parseChallenges = (value: string): ReadonlyArray<AnyChallenge> => {
  const challenges: Array<AnyChallenge> = []
  element.lastIndex = 0
  for (let match = element.exec(value); match !== null; match = element.exec(value)) {
    const { name = "", plain, quoted } = match.groups ?? {}
    const text = quoted?.replaceAll(/\\(.)/g, "$1") ?? plain
    if (text === undefined) {
      challenges.push({ scheme: name.toLowerCase(), parameters: new Map(), resourceMetadata: [] })
      continue
    }
    const challenge = challenges.at(-1)
    const key = name.toLowerCase()
    if (key === "resource_metadata") challenge?.resourceMetadata.push(text)
    if (challenge?.parameters.has(key) === false) challenge.parameters.set(key, text)
  }
  return challenges
}
