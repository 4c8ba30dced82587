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
  const bearer = [values ?? []]
    .flat()
    .flatMap(parseChallenges)
    .find(({ scheme }) => scheme === "bearer")
  if (bearer === undefined) return undefined
  const { parameters } = bearer
  return {
    error: parameters.get("error"),
    scope: parameters.get("scope"),
    resourceMetadata: parameters.get("resource_metadata")
  }
}

interface AnyChallenge {
  readonly scheme: string
  readonly parameters: Map<string, string>
}

/** A parameter, or, where no `=` follows, the scheme of the next challenge with the credentials some schemes have. */
const element =
  /[\s,]*(?<name>[\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"(?<quoted>(?:[^"\\]|\\.)*)"|(?<plain>[\w!#$%&'*+.^`|~/:-]+))|(?: +[\w.~+/-]+=*(?=\s*(?:,|$)))?)/y

const parseChallenges = (value: string): ReadonlyArray<AnyChallenge> => {
  const challenges: Array<AnyChallenge> = []
  element.lastIndex = 0
  for (let match = element.exec(value); match !== null; match = element.exec(value)) {
    const { name = "", plain, quoted } = match.groups ?? {}
    const text = quoted?.replaceAll(/\\(.)/g, "$1") ?? plain
    if (text === undefined) challenges.push({ scheme: name.toLowerCase(), parameters: new Map() })
    // The first of two parameters with one name counts; a second one is an attempt to confuse.
    else
      challenges
        .at(-1)
        ?.parameters.set(name.toLowerCase(), challenges.at(-1)?.parameters.get(name.toLowerCase()) ?? text)
  }
  return challenges
}
