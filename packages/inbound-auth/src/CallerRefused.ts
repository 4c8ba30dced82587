import * as Schema from "effect/Schema"

/** Why nobody is known to call, or why who calls may not. */
export class CallerRefused extends Schema.TaggedError<CallerRefused>()("CallerRefused", {
  reason: Schema.Literals([
    /** The request shows nothing of its sender. */
    "CallerRequired",
    /** Its token is not valid here. */
    "InvalidToken",
    /** Its token is valid, and allows too little. */
    "InsufficientScope",
    /** What is needed to judge the token cannot be had now. */
    "IssuerUnavailable"
  ]),
  /** A sentence that quotes nothing of the token. */
  problem: Schema.String,
  /** The scopes to ask for, separated by spaces. */
  scope: Schema.optionalKey(Schema.String),
  /** When to try again, in seconds. */
  retryAfterSeconds: Schema.optionalKey(Schema.Finite)
}) {
  static readonly required = (problem: string, scope?: string) =>
    new CallerRefused({ reason: "CallerRequired", problem, ...withScope(scope) })

  static readonly invalid = (problem: string, scope?: string) =>
    new CallerRefused({ reason: "InvalidToken", problem, ...withScope(scope) })

  override get message(): string {
    return this.problem
  }

  /** The HTTP status for the caller. */
  get status(): 401 | 403 | 503 {
    return statuses[this.reason]
  }

  /**
   * The value of `WWW-Authenticate` (RFC 6750 §3, RFC 9728 §5.1): what a client needs to log in by itself. Undefined where a
   * login would not help.
   *
   * @param resourceMetadata the URL of our metadata; undefined if there is no authorization server to name
   */
  challenge(resourceMetadata: string | undefined): string | undefined {
    if (this.reason === "IssuerUnavailable") return undefined
    const parameters = [
      ["realm", "secure-mcp-gateway"],
      ["resource_metadata", resourceMetadata],
      ["error", errors[this.reason]],
      ["error_description", errors[this.reason] === undefined ? undefined : quotable(this.problem)],
      ["scope", this.scope]
    ]
    return `Bearer ${parameters
      .flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${value}"`]))
      .join(", ")}`
  }
}

const withScope = (scope: string | undefined) => (scope === undefined || scope === "" ? {} : { scope })

const statuses = {
  CallerRequired: 401,
  InvalidToken: 401,
  InsufficientScope: 403,
  IssuerUnavailable: 503
} as const

/** A client that has sent nothing is told no error (RFC 6750 §3.1). */
const errors: Readonly<Record<CallerRefused["reason"], string | undefined>> = {
  CallerRequired: undefined,
  InvalidToken: "invalid_token",
  InsufficientScope: "insufficient_scope",
  IssuerUnavailable: undefined
}

/** RFC 6750 §3: no quote, no backslash, printable ASCII. */
const quotable = (text: string): string => text.replaceAll(/["\\]/g, "'").replaceAll(/[^\x20-\x7E]/g, "?")
