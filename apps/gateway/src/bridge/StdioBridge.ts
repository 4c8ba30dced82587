import * as Cause from "effect/Cause"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { IncomingMessage, ServerResponse } from "node:http"
import { sendEmpty, sendJson } from "../jsonrpc/HttpAnswer.ts"
import { makeChildren } from "./Children.ts"
import { type Connect, ConnectionFailed } from "../jsonrpc/MessageConnection.ts"
import {
  errorCodes,
  errorResponse,
  isMessage,
  isRequest,
  metaKeys,
  parseJson,
  parseJsonRpc,
  idTextAt,
  type IdText
} from "../jsonrpc/JsonRpc.ts"
import { declaredVersion, findHeaderMismatch } from "../jsonrpc/MirroredHeaders.ts"
import { clientIdsOf } from "./IdTranslation.ts"
import { makeChildSession, type Posted } from "./ChildSession.ts"
import { makeSharedChild } from "./SharedChild.ts"

/** Offers a stdio server over Streamable HTTP. */
export interface StdioBridge<E> {
  /**
   * Answers one HTTP request (POST, GET or DELETE) and completes when the response is ended. Fails only with the
   * error of `connect`, before anything is written; every other problem is answered.
   *
   * @param body of a POST; empty otherwise
   * @param owner who is calling; neither sessions nor children are shared between owners
   */
  readonly handle: (
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
    owner: string | undefined
  ) => Effect.Effect<void, E>
}

/** The revisions with sessions. All later ones are stateless. */
const sessionRevisions: ReadonlySet<unknown> = new Set([
  "2024-11-05",
  "2025-03-26",
  "2025-06-18",
  "2025-11-25"
])

const maxChildren = 1000

/** MCP 2026-07-28, basic, "_meta". */
const undeclaredVersion = `\`params._meta\` has no \`${metaKeys.protocolVersion}\``

/** An HTTP request and where it is answered. */
interface Call {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly owner: string | undefined
}

/**
 * Makes the bridge to one server. Revisions with sessions get a child for each `Mcp-Session-Id`, the stateless
 * revision gets one for each owner. Children are stopped with the scope, and when nobody has used them for 30
 * minutes.
 *
 * A child has the token it was started with. A shared child whose token has expired is replaced at the next request and
 * stopped once its pending requests are answered. The child of a session is not replaced, because the session would be
 * lost.
 *
 * @param options.connect opens a connection to the server for an owner
 */
export const make = Effect.fnUntraced(function* <E>(options: {
  readonly serverName: string
  readonly connect: (owner: string | undefined) => Connect<E>
}): Effect.fn.Return<StdioBridge<E>, never, Scope.Scope | SecureRandom.SecureRandom> {
  const { connect, serverName } = options
  const random = yield* SecureRandom.SecureRandom

  const sessions = yield* makeChildren({
    start: (key: string) => {
      const { id, owner } = parseSessionKey(key)
      return makeChildSession({ id, serverName, connect: connect(owner) })
    },
    capacity: maxChildren
  })
  const sharedChildren = yield* makeChildren({
    start: (owner: string | undefined) => makeSharedChild({ serverName, connect: connect(owner) }),
    capacity: maxChildren
  })

  const post = (call: Call, posted: Posted) => {
    const version = call.request.headers["mcp-protocol-version"]
    const isStateless =
      posted.messages.some(({ json }) => declaredVersion(json) !== undefined) ||
      (version !== undefined && !sessionRevisions.has(version))
    if (isStateless) return postToSharedChild(call, posted)
    if (call.request.headers["mcp-session-id"] !== undefined) return postToSession(call, posted)
    if (posted.messages.some(({ json }) => isRequest(json) && json.method === "initialize"))
      return initialize(call, posted)
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
    if (session === undefined) return refuse(call, posted, 404, "No such session")
    yield* session.post(posted, call.response)
  })

  const postToSharedChild = Effect.fnUntraced(function* (call: Call, posted: Posted) {
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
      const child = yield* sharedChildren.get(call.owner)
      return yield* child.request({ ...message, ids }, call.response)
    }
    if (message.json["method"] === undefined)
      return refuse(call, posted, 400, "This protocol revision has no requests from the server to answer")
    const child = yield* sharedChildren.find(call.owner)
    if (child !== undefined) yield* child.notify(message)
    sendEmpty(call.response, 202)
  })

  const sessionKeyOf = ({ owner, request }: Call) =>
    sessionKey(String(request.headers["mcp-session-id"]), owner)

  const listen = Effect.fnUntraced(function* (call: Call) {
    const session = yield* sessions.find(sessionKeyOf(call))
    if (session === undefined) return refuse(call, undefined, 404, "No such session")
    yield* session.listen(call.response)
  })

  const endSession = Effect.fnUntraced(function* (call: Call) {
    const key = sessionKeyOf(call)
    const session = yield* sessions.find(key)
    if (session === undefined) return refuse(call, undefined, 404, "No such session")
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

  const handle: StdioBridge<E>["handle"] = (request, response, body, owner) =>
    Effect.suspend(() => {
      const call = { request, response, owner }
      const posted = request.method === "POST" ? readPosted(body.toString()) : undefined
      if (typeof posted === "string") return Effect.sync(() => sendJson(response, 400, posted))
      return answer(call, posted).pipe(
        Effect.scoped,
        Effect.catch((error): Effect.Effect<void, E> => {
          if (error instanceof ConnectionFailed)
            return Effect.andThen(
              Effect.logError(error.message),
              Effect.sync(() => refuse(call, posted, 502, error.message, errorCodes.serverUnavailable))
            )
          if (Cause.isExceededCapacityError(error))
            return Effect.sync(() =>
              refuse(call, posted, 503, "Too many sessions are open", errorCodes.serverUnavailable)
            )
          return Effect.fail(error)
        })
      )
    }).pipe(Effect.annotateLogs({ server_name: serverName }))

  return { handle }
}, Effect.provide(SecureRandom.layerWebCrypto))

/** The messages of a body, or the error response if it has none. */
const readPosted = (body: string): Posted | string => {
  const posted = parseJsonRpc(body)
  if (posted !== undefined && posted.messages.every(({ json }) => isMessage(json))) return posted
  return parseJson(body) === undefined
    ? errorResponse(undefined, errorCodes.parseError, "The body is not JSON")
    : errorResponse(undefined, errorCodes.invalidRequest, "The body is no JSON-RPC message")
}

const refuse = (
  { response }: Call,
  posted: Posted | undefined,
  status: number,
  problem: string,
  code: number = errorCodes.invalidRequest
): void => {
  sendJson(response, status, errorResponse(onlyId(posted), code, problem))
}

const onlyId = (posted: Posted | undefined): IdText | undefined => {
  const message = posted?.isBatch === false ? posted.messages[0] : undefined
  return message !== undefined && isRequest(message.json) ? idTextAt(message) : undefined
}

/** The owner is part of the key: the session id alone, sent by another caller, finds nothing. */
const sessionKey = (id: string, owner: string | undefined): string => `${id} ${JSON.stringify(owner ?? null)}`

/** The parts of a session key. The id is a UUID and has no space. */
const parseSessionKey = (key: string): { readonly id: string; readonly owner: string | undefined } => {
  const space = key.indexOf(" ")
  const owner: string | null = JSON.parse(key.slice(space + 1))
  return { id: key.slice(0, space), owner: owner ?? undefined }
}
