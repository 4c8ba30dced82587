import type { IncomingMessage, ServerResponse } from "node:http"
import { isTraced } from "@secure-mcp/oauth-core/internal"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { RequestBodies, type RequestBody } from "../upstream/RequestBody.ts"
import { CallerExpiry } from "../callers/CallerExpiry.ts"
import type { Caller, Exchange, Rest, Upstream } from "../upstream/Upstream.ts"
import type { Access } from "./Access.ts"
import { BegunExchanges } from "./BegunExchanges.ts"
import { originHeaders } from "./CrossOrigin.ts"
import { mayHaveLoginAnswer } from "./LoginAnswer.ts"
import { McpServers } from "./McpServers.ts"
import { pathOf } from "./NodeExchange.ts"
import type { RequestLimits } from "./RequestLimits.ts"
import { RequestRefusals } from "./RequestRefusals.ts"
import { PersonActivity } from "../status/PersonActivity.ts"

/**
 * Answers a request, or leaves it to the router.
 *
 * @param next gives the request to the router; called at most once
 */
export type AnswerOrNext = (request: IncomingMessage, response: ServerResponse, next: () => void) => void

/**
 * Answers the common case without a fiber, for speed: a request that the gateway admits, to a server over HTTP, with a
 * token in memory if it needs one, and an answer that is forwarded.
 *
 * Whatever else there is to do (refuse, obtain a token, ask for a login, say that a server is away) is for the router. It
 * begins anew, with the body that was read here, or goes on with what is left to do (`BegunExchanges`). Each rule stands
 * once, in what both call; this file only has their order, which is that of `AccessMiddleware` and `McpRoute`.
 */
export const makeDirectAnswers = Effect.fnUntraced(function* ({
  checkSite,
  identify
}: Access["Service"]): Effect.fn.Return<
  AnswerOrNext,
  never,
  McpServers | RequestBodies | BegunExchanges | RequestRefusals | CallerExpiry | PersonActivity
> {
  const bodies = yield* RequestBodies
  const begunExchanges = yield* BegunExchanges
  const refuse = yield* RequestRefusals
  const expiry = yield* CallerExpiry
  const activity = yield* PersonActivity
  // Only the router makes the spans that somebody listens to.
  if (yield* Effect.withFiber((fiber) => Effect.succeed(isTraced(fiber))))
    return (_request, _response, next) => next()
  const byPath = new Map<string, DirectServer>(
    [...(yield* McpServers)].flatMap(([serverName, { limits, upstream }]) => {
      const { handleNow, tokenRequest } = upstream
      return handleNow === undefined
        ? []
        : [[`/servers/${serverName}/mcp`, { serverName, limits, tokenRequest, handleNow }] as const]
    })
  )

  return (request, response, next) => {
    const found = byPath.get(pathOf(request))
    if (found === undefined || !isDirectMethod(request.method)) return next()
    if (checkSite(request) !== undefined || refuse(request, found.serverName) !== undefined) return next()
    const caller = identify(request)
    if (!Result.isResult(caller) || Result.isFailure(caller)) return next()
    const mayArrive = !mayAskForLogin(found, caller.success)
    bodies.readNow(request, response, { mayArrive }, (body) => {
      const exchange = { request, response, body, caller: caller.success, ownHeaders: originHeaders(request) }
      const goOn = (rest?: Rest) => {
        begunExchanges.put(request, { serverName: found.serverName, exchange, rest })
        next()
      }
      if (isCommon(body) && sendNow(found, exchange, goOn)) {
        activity.use(found.serverName, caller.success)
        return expiry.watch(caller.success, response)
      }
      if (body.arriving === undefined) goOn()
      else body.arriving.whenComplete(() => goOn())
    })
  }
})

/** A body that may have the answer of a client who was asked to log in is complete before anything of it is sent. */
const mayAskForLogin = ({ tokenRequest }: DirectServer, caller: Caller): boolean =>
  tokenRequest(caller)?.config.grantType === "authorization_code"

/** Whether a body is complete, or is going to be, and has no such answer. */
const isCommon = (body: RequestBody): boolean =>
  body.rest === undefined && (body.arriving !== undefined || !mayHaveLoginAnswer(body))

interface DirectServer {
  readonly serverName: string
  readonly limits: RequestLimits
  readonly tokenRequest: Upstream["tokenRequest"]
  readonly handleNow: NonNullable<Upstream["handleNow"]>
}

/** Sends an exchange if there is room for it and nothing to wait for. */
const sendNow = (
  { handleNow, limits }: DirectServer,
  exchange: Exchange,
  goOn: (rest: Rest) => void
): boolean => {
  const admitted = limits.enter(exchange)
  if (admitted === undefined) return false
  const isSent = handleNow(exchange, (rest) => {
    limits.leave(admitted)
    if (rest !== undefined) goOn(rest)
  })
  if (!isSent) limits.leave(admitted)
  return isSent
}

/** A DELETE ends a session, which is to be remembered. */
const isDirectMethod = (method: string | undefined): boolean => method === "POST" || method === "GET"
