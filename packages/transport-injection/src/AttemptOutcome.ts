import { asksForMoreScope, type Challenge } from "@secure-mcp/oauth-core"

/** The MCP server accepted the token, or answered without one, whatever it said. */
export interface Accepted<A> {
  readonly _tag: "Accepted"
  /** What `TokenInjector.use` succeeds with. */
  readonly value: A
}

/** The MCP server refused the token, or wants one (RFC 6750 §3.1). The attempt left no response open. */
export interface Refused {
  readonly _tag: "Refused"
  /** The HTTP status of the answer: 400, 401 or 403. */
  readonly status: number
  /** The `WWW-Authenticate: Bearer` of the answer, if it had one. */
  readonly challenge: Challenge | undefined
  /** Whether the attempt can be made again; false if its body is gone. */
  readonly repeatable: boolean
}

/** The result of one attempt with a token. */
export type AttemptOutcome<A> = Accepted<A> | Refused

/** The outcome of an attempt whose token was accepted. */
export const accepted = <A>(value: A): AttemptOutcome<A> => ({ _tag: "Accepted", value })

/**
 * The outcome of an attempt whose token was refused.
 *
 * @param status the HTTP status of the answer
 * @param challenge its `WWW-Authenticate: Bearer`, from `parseChallenge`
 * @param options `repeatable` is false if the request cannot be sent again; default true
 */
export const refused = (
  status: number,
  challenge?: Challenge,
  { repeatable = true }: { readonly repeatable?: boolean } = {}
): AttemptOutcome<never> => ({ _tag: "Refused", status, challenge, repeatable })

/**
 * Whether an answer refuses the token (RFC 6750 §3.1): 401 does, 403 with `insufficient_scope`, and `invalid_token`,
 * which some servers send with 400 or 403. Any other 400 or 403 is the server's own decision, which no other token
 * changes.
 */
export const refusesToken = (status: number, challenge: Challenge | undefined): boolean =>
  status === 401 ||
  (status === 403 && asksForMoreScope(challenge)) ||
  ((status === 403 || status === 400) && challenge?.error === "invalid_token")

/** Whether an answer may refuse the token, so that its challenge is worth reading. */
export const mayRefuseToken = (status: number): boolean => status === 401 || status === 403 || status === 400
