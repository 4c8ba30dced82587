import type { LinkAddress } from "./LoginCookie.ts"

/** A login that somebody asked for, and that no browser has begun. */
export interface RequestedLogin {
  readonly serverName: string
  /** Who asked; undefined if the gateway does not know its callers. */
  readonly subject: string | undefined
  /** What the page calls that person, if not by `subject`. */
  readonly subjectName?: string | undefined
  /** The public URL, if the login is only for the person that a browser has logged in as (`PersonPages`). */
  readonly base?: string | undefined
  /** What the MCP client calls itself that asked. Anybody can call a client so. */
  readonly client?: string | undefined
  readonly authorizationUrl: string
  readonly redirectUri: string
}

/** The link that is given to a person: its page leads on to the authorization server. */
export interface LoginLink extends LinkAddress, RequestedLogin {
  /** Milliseconds since the epoch. */
  readonly begunAt: number
}
