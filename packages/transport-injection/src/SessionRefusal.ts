import type { Challenge } from "@secure-mcp/oauth-core"

/** Bytes that are read of an answer that refuses the token, to find out whether it does. */
export const maxRefusalBytes = 64 * 1024

/**
 * Whether an answer that refuses the token may be about the session instead: some servers answer 401 for one that they
 * have forgotten. Then another token would not help, and the grant has not ended; the body tells (`mentionsSession`).
 *
 * @param sessionId that of the request
 */
export const mayBeAboutSession = (challenge: Challenge | undefined, sessionId: unknown): boolean =>
  challenge === undefined && sessionId !== undefined

/**
 * Whether a body speaks of a session. Some servers answer 400 or 401 where they have forgotten one, and the specification
 * wants 404.
 */
export const mentionsSession = (body: string): boolean => /session/i.test(body)
