import type { Limits } from "@secure-mcp/transport-injection"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http"
import { sendEmpty, sendJson } from "../jsonrpc/HttpAnswer.ts"
import { makeConnections } from "./Connections.ts"
import { makeCrashBackoff, TooManyCrashes } from "./CrashBackoff.ts"
import type { DirectResponse } from "./DirectExchange.ts"
import { statusUnanswered } from "./Discovery.ts"
import { type Connect, ConnectionFailed } from "../jsonrpc/MessageConnection.ts"
import {
  errorCodes,
  errorResponse,
  isMessage,
  isRequest,
  metaKeys,
  parseOnlyMessage,
  readJsonRpc,
  requestIdOf,
  type IdText
} from "../jsonrpc/JsonRpc.ts"
import { declaredVersion, findHeaderMismatch } from "../jsonrpc/MirroredHeaders.ts"
import { clientIdsOf } from "./IdTranslation.ts"
import { makeSession, type Posted, type Session } from "./Session.ts"
import { makeSharedConnection } from "./SharedConnection.ts"

/** Offers the server at the end of a `MessageConnection` over Streamable HTTP. */
export interface HttpBridge<E> {
  /**
   * Answers one HTTP request (POST, GET or DELETE) and completes when the response is ended. Fails only with the
   * error of `connect`, before anything is written; every other problem is answered.
   *
   * @param body of a POST; empty otherwise
   * @param owner who is calling; neither sessions nor connections are shared between owners
   */
  readonly handle: (
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
    owner: string | undefined
  ) => Effect.Effect<void, E>
  /**
   * The same without a fiber, for a request in a session whose server can take it at once.
   *
   * @param to where it is answered
   * @param onClose called when the response has been sent, or the client has gone
   * @returns false if nothing was done: call `handle`
   */
  readonly handleNow: (
    request: IncomingMessage,
    to: Omit<DirectResponse, "run">,
    body: Buffer,
    owner: string | undefined,
    onClose: () => void
  ) => boolean
}

/** The first stateless revision. Those before have sessions, and all later ones are stateless, too. */
const firstStatelessRevision = "2026-07-28"

/** Whether a header names a stateless revision. Its form counts, so that servers may have revisions that we do not know. */
const isStatelessRevision = (version: unknown): boolean =>
  typeof version === "string" && /^\d{4}-\d{2}-\d{2}$/.test(version) && version >= firstStatelessRevision

/** MCP 2026-07-28, basic, "_meta". */
const undeclaredVersion = `\`params._meta\` has no \`${metaKeys.protocolVersion}\``

const noSession = "There is no such session, or it has ended. Begin a new one with `initialize`"

/** An HTTP request and where it is answered. */
interface Call {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly owner: string | undefined
}

/**
 * Makes the bridge to one server. Revisions with sessions get a connection for each `Mcp-Session-Id`, the stateless
 * revision gets one for each owner. Connections are stopped with the scope, and when nobody has used them for
 * `limits.session_idle_seconds`.
 *
 * A connection whose token has expired is replaced at the next request: a shared one is stopped once its pending requests
 * are answered, that of a session before the new one is opened (`SessionRenewal`).
 *
 * @param options.connect opens a connection to the server for an owner
 * @param options.startTimeout how long the first answer on a connection may take
 */
export const make = Effect.fnUntraced(function* <E>(options: {
  readonly serverName: string
  readonly connect: (owner: string | undefined) => Connect<E>
  readonly limits: Limits
  readonly startTimeout: Duration.Duration
}): Effect.fn.Return<HttpBridge<E>, never, Scope.Scope | SecureRandom.SecureRandom> {
  const { connect, limits, serverName, startTimeout } = options
  const random = yield* SecureRandom.SecureRandom
  const bounds = {
    capacity: limits.sessions,
    idleTimeToLive: Duration.seconds(limits.sessionIdleSeconds)
  }

  const guardSession = makeCrashBackoff(serverName)
  const sessions = yield* makeConnections({
    ...bounds,
    ownerOf: (key: string) => parseSessionKey(key).owner,
    open: (key: string) => {
      const { id, owner } = parseSessionKey(key)
      return makeSession({
        id,
        serverName,
        connect: guardSession(owner, connect(owner)),
        limits,
        startTimeout
      })
    }
  })
  // Apart from that of sessions: a server of a revision with sessions may end when it is asked for another.
  const guardShared = makeCrashBackoff(serverName)
  const shared = yield* makeConnections({
    ...bounds,
    ownerOf: (owner: string | undefined) => owner,
    open: (owner: string | undefined) =>
      makeSharedConnection({ serverName, connect: guardShared(owner, connect(owner)), limits, startTimeout })
  })

  const post = (call: Call, posted: Posted) => {
    const { headers } = call.request
    if (posted.messages.some(({ json }) => declaredVersion(json) !== undefined))
      return postToShared(call, posted)
    // Whatever the headers say: a client that initializes begins anew.
    if (posted.messages.some(({ json }) => isRequest(json) && json.method === "initialize"))
      return initialize(call, posted)
    if (headers["mcp-session-id"] !== undefined) return postToSession(call, posted)
    if (isStatelessRevision(headers["mcp-protocol-version"])) return postToShared(call, posted)
    return Effect.sync(() => refuse(call, posted, 400, "The Mcp-Session-Id header is missing"))
  }

  const initialize = Effect.fnUntraced(function* (call: Call, posted: Posted) {
    const key = sessionKey(yield* random.uuidV4(), call.owner)
    const session = yield* sessions.get(key)
    yield* Effect.ensuring(
      session.post(posted, call.response),
      Effect.suspend(() => (session.isEstablished() ? Effect.void : sessions.retire(key, session)))
    )
  })

  const postToSession = Effect.fnUntraced(function* (call: Call, posted: Posted) {
    const session = yield* sessions.find(sessionKeyOf(call))
    if (session === undefined) return refuse(call, posted, 404, noSession)
    yield* session.post(posted, call.response)
  })

  const postToShared = Effect.fnUntraced(function* (call: Call, posted: Posted) {
    const [message] = posted.messages
    if (message === undefined || posted.isBatch)
      return refuse(call, posted, 400, "This protocol revision has no batches")
    if (isRequest(message.json) && declaredVersion(message.json) === undefined)
      return refuse(call, posted, 400, undeclaredVersion, errorCodes.invalidParams)
    const mismatch = findHeaderMismatch(call.request.headers, message.json)
    if (mismatch !== undefined)
      return refuse(call, posted, 400, `Header mismatch: ${mismatch}`, errorCodes.headerMismatch)
    const ids = isRequest(message.json) ? clientIdsOf(message) : undefined
    if (ids !== undefined) {
      const connection = yield* shared.get(call.owner)
      return yield* connection.request({ ...message, ids }, call.response)
    }
    if (message.json["method"] === undefined)
      return refuse(call, posted, 400, "This protocol revision has no requests from the server to answer")
    const connection = yield* shared.find(call.owner)
    if (connection !== undefined) yield* connection.notify(message)
    sendEmpty(call.response, 202)
  })

  const sessionKeyOf = ({ owner, request }: Call) =>
    sessionKey(String(request.headers["mcp-session-id"]), owner)

  const listen = Effect.fnUntraced(function* (call: Call) {
    const session = yield* sessions.find(sessionKeyOf(call))
    if (session === undefined) return refuse(call, undefined, 404, noSession)
    yield* session.listen(call.response)
  })

  const endSession = Effect.fnUntraced(function* (call: Call) {
    const key = sessionKeyOf(call)
    const session = yield* sessions.find(key)
    if (session === undefined) return refuse(call, undefined, 404, noSession)
    yield* sessions.retire(key, session)
    yield* session.end
    sendEmpty(call.response, 204)
  })

  const answer = (call: Call, posted: Posted | undefined) => {
    const { headers, method } = call.request
    if (posted !== undefined) return post(call, posted)
    const isInSession = headers["mcp-session-id"] !== undefined
    if (method === "GET" && isInSession) return listen(call)
    if (method === "DELETE" && isInSession) return endSession(call)
    return Effect.sync(() =>
      sendEmpty(call.response, 405, { allow: isInSession ? "GET, POST, DELETE" : "POST" })
    )
  }

  const handle: HttpBridge<E>["handle"] = (request, response, body, owner) =>
    Effect.gen(function* () {
      const call = { request, response, owner }
      const posted = request.method === "POST" ? yield* readPosted(body.toString()) : undefined
      if (typeof posted === "string") return sendJson(response, 400, posted)
      return yield* answer(call, posted).pipe(
        Effect.scoped,
        Effect.catch((error): Effect.Effect<void, E> => {
          if (error instanceof ConnectionFailed)
            return Effect.andThen(
              Effect.logError(error.message),
              Effect.sync(() => refuse(call, posted, 502, error.message, errorCodes.serverUnavailable))
            )
          if (error instanceof TooManyCrashes)
            return Effect.sync(() =>
              refuse(call, posted, statusOfRefusal(posted), error.message, errorCodes.serverUnavailable, {
                "retry-after": String(error.retryAfterSeconds)
              })
            )
          if (Cause.isExceededCapacityError(error)) {
            const problem = tooManySessions(serverName, limits)
            return Effect.andThen(
              Effect.logWarning(problem),
              Effect.sync(() =>
                refuse(call, posted, 503, problem, errorCodes.serverUnavailable, {
                  "retry-after": String(retrySeconds)
                })
              )
            )
          }
          return Effect.fail(error)
        })
      )
    }).pipe(Effect.annotateLogs({ server_name: serverName }))

  const runFork = yield* FiberSet.makeRuntime<never>()
  const run = (effect: Effect.Effect<unknown>) =>
    void runFork(Effect.annotateLogs(effect, { server_name: serverName }))
  const clock = yield* Clock.Clock

  const handleNow: HttpBridge<E>["handleNow"] = (request, to, body, owner, onClose) => {
    const sessionId = request.headers["mcp-session-id"]
    if (request.method !== "POST" || sessionId === undefined) return false
    const now = clock.currentTimeMillisUnsafe()
    const held = sessions.enterNow(sessionKey(String(sessionId), owner), now)
    if (held === undefined) return false
    const isPosted = postNow(held.connection, now, body, { ...to, run }, () => {
      held.leave()
      onClose()
    })
    if (!isPosted) held.leave()
    return isPosted
  }

  return { handle, handleNow }
}, Effect.provide(SecureRandom.layerWebCrypto))

/** Passes on a body that is one request, if its session can take it without a fiber. */
const postNow = <E>(
  session: Session<E>,
  now: number,
  body: Buffer,
  to: DirectResponse,
  onClose: () => void
): boolean => {
  if (!session.isDirect(now)) return false
  const message = parseOnlyMessage(body.toString())
  const id = message === undefined ? undefined : requestIdOf(message)
  if (message === undefined || id === undefined || message.json["method"] === "initialize") return false
  return declaredVersion(message.json) === undefined && session.postNow(message, id, to, onClose)
}

/** The messages of a body, or the error response if it has none. */
const readPosted = (body: string): Effect.Effect<Posted | string> =>
  readJsonRpc(body).pipe(
    Effect.map((posted) =>
      posted.messages.every(({ json }) => isMessage(json))
        ? posted
        : errorResponse(undefined, errorCodes.invalidRequest, "The body is no JSON-RPC message")
    ),
    Effect.catch(({ code, problem }) => Effect.succeed(errorResponse(undefined, code, problem)))
  )

const refuse = (
  { response }: Call,
  posted: Posted | undefined,
  status: number,
  problem: string,
  code: number = errorCodes.invalidRequest,
  headers: OutgoingHttpHeaders = {}
): void => {
  sendJson(response, status, errorResponse(onlyId(posted), code, problem), headers)
}

const tooManySessions = (serverName: string, { sessionIdleSeconds, sessions }: Limits): string =>
  `The MCP server "${serverName}" has ${sessions} sessions, and more are not allowed (\`limits.sessions\`). End one, or wait until one has not been used for ${sessionIdleSeconds} seconds (\`limits.session_idle_seconds\`)`

/** When a client may ask again for a session. */
const retrySeconds = 30

const statusOfRefusal = (posted: Posted | undefined): number => {
  const [message] = posted?.messages ?? []
  return message === undefined ? 503 : statusUnanswered(message, 503)
}

const onlyId = (posted: Posted | undefined): IdText | undefined => {
  const message = posted?.isBatch === false ? posted.messages[0] : undefined
  return message === undefined ? undefined : requestIdOf(message)
}

/** The owner is part of the key: the session id alone, sent by another caller, finds nothing. */
const sessionKey = (id: string, owner: string | undefined): string => `${id} ${JSON.stringify(owner ?? null)}`

/** The parts of a session key. The id is a UUID and has no space. */
const parseSessionKey = (key: string): { readonly id: string; readonly owner: string | undefined } => {
  const space = key.indexOf(" ")
  const owner: string | null = JSON.parse(key.slice(space + 1))
  return { id: key.slice(0, space), owner: owner ?? undefined }
}
