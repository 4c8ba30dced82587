import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * Where the logins of people begin and end who are known to a login of their company: at pages of the gateway at which the
 * browser itself has logged in there. A login counts only for the person that this browser is.
 */
export const PersonPages = Context.Reference<{
  /**
   * The public URL of these pages; undefined if there are none for people of this issuer.
   *
   * @param issuer undefined for a person who is known by an API key
   */
  readonly baseFor: (issuer: string | undefined) => Effect.Effect<string | undefined>
}>("@secure-mcp/gateway/PersonPages", { defaultValue: () => ({ baseFor: () => Effect.undefined }) })
