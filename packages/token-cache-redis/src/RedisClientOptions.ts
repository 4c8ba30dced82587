import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import { isIP } from "node:net"

/** What every connection has in common, whichever node it goes to. */
export interface RedisClientSettings {
  readonly tls: boolean
  readonly authorities: string | undefined
  readonly timeout: Duration.Duration
  readonly username: string | undefined
  readonly password: Redacted.Redacted | undefined
}

/** Milliseconds. In the beginning the deadline comes first, whose error says more. */
export const longestSilence = (timeout: Duration.Duration): number => Duration.toMillis(timeout) + 500

/** How a connection behaves, besides its address and how it connects again. */
export const clientOptions = ({ password, timeout, username }: RedisClientSettings) => ({
  // The answers to HELLO, which the later protocol begins with, repeat the password when it is not known.
  RESP: 2 as const,
  ...(username === undefined ? {} : { username }),
  ...(password === undefined ? {} : { password: Redacted.value(password) }),
  // A command that waits for the connection would keep its caller waiting.
  disableOfflineQueue: true,
  commandsQueueMaxLength: 10_000,
  // Each is answered, so that a connection without an answer is a silent one.
  pingInterval: Duration.toMillis(timeout) / 2
})

/** Set here so that no environment variable (NODE_TLS_REJECT_UNAUTHORIZED) turns the checks off. */
export const tlsOptions = ({ authorities, tls }: RedisClientSettings, host?: string) =>
  tls
    ? {
        tls: true as const,
        // SNI is for names only (RFC 6066 §3).
        ...(host === undefined || isIP(host) !== 0 ? {} : { servername: host }),
        rejectUnauthorized: true,
        ...(authorities === undefined ? {} : { ca: authorities })
      }
    : {}

/** Milliseconds to wait before the connection is tried again. */
export const pauseBefore = (retries: number): number =>
  Math.min(50 * 2 ** retries, 2000) + Math.floor(Math.random() * 200)
