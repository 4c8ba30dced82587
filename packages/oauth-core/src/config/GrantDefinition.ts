import type * as Redacted from "effect/Redacted"
import type * as Schema from "effect/Schema"
import type { ConfigProblem } from "../problems/ConfigProblem.ts"
import type { OAuthConfigFields } from "./OAuthConfigFields.ts"

/** The schemas of a grant's own keys, by the names that they have in the file. */
export type GrantKeys = Readonly<Record<string, Schema.Decoder<unknown>>>

/** What a configuration has under a grant's own keys, as it stands in the file. */
export type GrantKeyValues = Redacted.Redacted<Readonly<Record<string, unknown>>>

/**
 * A grant beside the built-in ones, as far as a configuration knows it. A `Flow` of `@secure-mcp/oauth-flows` is one.
 *
 * The grant brings the client's own token: the login of a person is built in.
 */
export interface GrantDefinition {
  /** What selects it in `grant_type`. The name of a built-in grant replaces that one. */
  readonly grantType: string
  /**
   * Its own keys, which stand in the `oauth` object beside those of every grant. A key that both know belongs to this
   * grant alone; only `enabled` and `grant_type` cannot be taken. A secret is a `Schema.RedactedFromValue`.
   */
  readonly keys: GrantKeys
  /**
   * What else must hold, as for the `client_id` that a grant needs. Its paths use the names of the file.
   *
   * @param own what stands under its own keys, which need not be valid
   */
  readonly rules: (
    config: OAuthConfigFields,
    own: Readonly<Record<string, unknown>>
  ) => ReadonlyArray<ConfigProblem>
}
