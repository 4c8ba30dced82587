import { decodeConfig, type ConfigProblem, type ConfigResult } from "@secure-mcp/oauth-core"
import * as Schema from "effect/Schema"

/** What one server, and each client of it, may hold at most. */
export interface Limits {
  /** Requests of all clients that wait for the beginning of an answer. */
  readonly concurrentRequests: number
  /** Requests and open streams of all clients; each has at most one connection to the server. */
  readonly sockets: number
  /** Requests and open streams of one person, of all those in `sockets`. */
  readonly requestsPerPerson: number
  /** Logins that people have been asked for and have not completed, and requests that wait for a login. */
  readonly waitingLogins: number
  /** Sessions of the server at the same time; each has a child process or a connection of its own. */
  readonly sessions: number
  /** Seconds without a request or an open stream after which a session ends. */
  readonly sessionIdleSeconds: number
  /** Sessions of a server over HTTP, each remembered with the person who began it. */
  readonly rememberedSessions: number
  /** Bytes of one message of the server. */
  readonly messageBytes: number
  /** Messages that a client may leave unread on one stream before that stream is closed. */
  readonly unreadMessages: number
  /** Bytes that a client may leave unread on one stream before that stream is closed. */
  readonly unreadBytes: number
  /** Messages of a session that wait for its client to open a stream. */
  readonly queuedMessages: number
}

/** The limits of a server whose configuration names none. */
export const defaultLimits: Limits = {
  concurrentRequests: 5000,
  sockets: 10_000,
  requestsPerPerson: 2500,
  waitingLogins: 500,
  sessions: 1000,
  sessionIdleSeconds: 1800,
  rememberedSessions: 100_000,
  messageBytes: 64 * 1024 * 1024,
  unreadMessages: 1024,
  unreadBytes: 8 * 1024 * 1024,
  queuedMessages: 256
}

const fields = {
  concurrentRequests: Schema.optionalKey(Schema.Int),
  sockets: Schema.optionalKey(Schema.Int),
  requestsPerPerson: Schema.optionalKey(Schema.Int),
  waitingLogins: Schema.optionalKey(Schema.Int),
  sessions: Schema.optionalKey(Schema.Int),
  sessionIdleSeconds: Schema.optionalKey(Schema.Finite),
  rememberedSessions: Schema.optionalKey(Schema.Int),
  messageBytes: Schema.optionalKey(Schema.Int),
  unreadMessages: Schema.optionalKey(Schema.Int),
  unreadBytes: Schema.optionalKey(Schema.Int),
  queuedMessages: Schema.optionalKey(Schema.Int)
}

const wireNames = {
  concurrentRequests: "concurrent_requests",
  requestsPerPerson: "requests_per_person",
  waitingLogins: "waiting_logins",
  sessionIdleSeconds: "session_idle_seconds",
  rememberedSessions: "remembered_sessions",
  messageBytes: "message_bytes",
  unreadMessages: "unread_messages",
  unreadBytes: "unread_bytes",
  queuedMessages: "queued_messages"
} as const

const LimitsSetting = Schema.Struct(fields).pipe(Schema.encodeKeys(wireNames))

/** A `limits` object of the configuration file. What it leaves out is said elsewhere. */
export type LimitsSetting = typeof LimitsSetting.Type

/** Less than this would refuse messages that every MCP server sends. */
const leastMessageBytes = 1024

const rules = (limits: LimitsSetting): ReadonlyArray<ConfigProblem> => {
  const atLeast = (key: string, value: number | undefined, least: number) =>
    value === undefined || value >= least ? [] : [{ path: [key], message: `must be at least ${least}` }]
  const { messageBytes, queuedMessages, sessionIdleSeconds, unreadBytes, unreadMessages } = limits
  return [
    ...atLeast(wireNames.concurrentRequests, limits.concurrentRequests, 1),
    ...atLeast("sockets", limits.sockets, 1),
    ...atLeast(wireNames.requestsPerPerson, limits.requestsPerPerson, 1),
    ...atLeast(wireNames.waitingLogins, limits.waitingLogins, 1),
    ...atLeast("sessions", limits.sessions, 1),
    ...(sessionIdleSeconds === undefined || sessionIdleSeconds > 0
      ? []
      : [{ path: [wireNames.sessionIdleSeconds], message: "must be more than 0 seconds" }]),
    ...atLeast(wireNames.rememberedSessions, limits.rememberedSessions, 1),
    ...atLeast(wireNames.messageBytes, messageBytes, leastMessageBytes),
    ...atLeast(wireNames.unreadMessages, unreadMessages, 1),
    ...atLeast(wireNames.unreadBytes, unreadBytes, leastMessageBytes),
    ...atLeast(wireNames.queuedMessages, queuedMessages, 0)
  ]
}

/** Decodes a `limits` object and reports every problem at once. */
export const decodeLimits: (input: unknown) => ConfigResult<LimitsSetting> = decodeConfig({
  schema: LimitsSetting,
  keys: ["sessions", "sockets", ...Object.values(wireNames)],
  wireNames,
  rules
})
