import type { LastError } from "./LastErrors.ts"

/** What is remembered of one person at one server, in this process. Times are milliseconds since the epoch. */
export interface Activity {
  readonly lastUseAt?: number | undefined
  /** Until a token is obtained again. */
  readonly lastError?: LastError | undefined
  /** What the client called itself that asked for the last login. Anybody can call a client so. */
  readonly askedBy?: string | undefined
}
