import * as Schema from "effect/Schema"
import type { Outcome } from "./McpExchange.ts"

/** The verdict of the client under test about its own run, as the last line of its standard output. */
export const Verdict = Schema.Struct({
  asExpected: Schema.Boolean,
  /** What happened, for people. */
  summary: Schema.String
})
export type Verdict = typeof Verdict.Type

/**
 * Scenarios in which the gateway must refuse, and what its refusal must say. The suite itself only sees that no token
 * was requested, which an unrelated failure looks like as well.
 */
const refusals: Readonly<Record<string, RegExp>> = {
  "auth/resource-mismatch": /RFC 9728 §3\.3/,
  "auth/metadata-issuer-mismatch": /RFC 8414 §3\.3/,
  "auth/iss-supported-missing": /lacks the `iss` .*RFC 9207/,
  "auth/iss-wrong-issuer": /its `iss` .*RFC 9207/,
  "auth/iss-unexpected": /its `iss` .*RFC 9207/,
  "auth/iss-normalized": /its `iss` .*RFC 9207/,
  "auth/scope-retry-limit": /StepUpExhausted/
}

export const judge = (scenario: string, outcome: Outcome): Verdict => {
  const refusal = refusals[scenario]
  if (outcome._tag === "Exchanged")
    return {
      asExpected: refusal === undefined,
      summary: `connected, listed and called the tool after ${outcome.logins} logins`
    }
  return {
    asExpected: refusal?.test(outcome.reason) === true,
    summary: `refused: ${outcome.reason}`
  }
}
