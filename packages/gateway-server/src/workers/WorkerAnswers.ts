import type { IncomingMessage, ServerResponse } from "node:http"
import { CorrelationId, OAuthError, withCorrelationId } from "@secure-mcp/oauth-core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Result from "effect/Result"
import type { Access } from "../http/Access.ts"
import { BegunExchanges } from "../http/BegunExchanges.ts"
import { allowOrigin, originHeaders } from "../http/CrossOrigin.ts"
import { type GatewayFailure, writeFailure } from "../http/GatewayFailure.ts"
import { failedAuthorization, unanswered } from "../http/McpRoute.ts"
import { type McpServer, McpServers } from "../http/McpServers.ts"
import { loginInputKey } from "../login/LoginPrompt.ts"
import type { Exchange, Rest } from "../upstream/Upstream.ts"
import type { OwnerForward } from "./OwnerForward.ts"

/**
 * Answers what `DirectAnswers` leaves over in a worker: it goes on with what was begun there, and asks the owner for a token
 * first if there is none. Everything else is given to the owner as it came: other paths, requests that are refused,
 * logins, long bodies, servers that only the owner has, and requests whose token a server has refused.
 */
export const makeWorkerAnswers = Effect.fnUntraced(function* ({ identify }: Access, forward: OwnerForward) {
  const servers = yield* McpServers
  const begunExchanges = yield* BegunExchanges
  const run = yield* FiberSet.makeRuntime<never, void>()

  const goOn = ({ limits, upstream }: McpServer, exchange: Exchange, rest: Rest | undefined) => {
    const { body, request, response } = exchange
    const handOver = Effect.sync(() => forward(request, response, body))
    return limits.admit(exchange, rest ?? upstream.handle(exchange)).pipe(
      Effect.catchTags({
        OAuthError: (error) =>
          isForOwner(error)
            ? handOver
            : answer(exchange, failedAuthorization(error, upstream.tokenRequest(exchange.caller))),
        UpstreamFailure: (failure) =>
          Effect.flatMap(CorrelationId, (correlationId = "") =>
            answer(exchange, { ...unanswered(failure), correlationId })
          )
      }),
      Effect.catchDefect((defect) =>
        Effect.logError("A request failed by a bug", Cause.die(defect)).pipe(
          Effect.andThen(Effect.sync(() => response.destroy()))
        )
      ),
      withCorrelationId
    )
  }

  return (request: IncomingMessage, response: ServerResponse): void => {
    const begun = begunExchanges.of(request)
    const caller = identify(request)
    const server = servers.get(serverNameOf(request))
    if (begun === undefined || server === undefined || Result.isFailure(caller))
      return forward(request, response, begun?.body)
    const { body, rest } = begun
    const isOrdinary = rest !== undefined || (body.rest === undefined && !body.head.includes(loginInputKey))
    if (!isOrdinary) return forward(request, response, body)
    allowOrigin(request, response)
    run(
      goOn(
        server,
        { request, response, body, caller: caller.success, ownHeaders: originHeaders(request) },
        rest
      )
    )
  }
})

/** A person has to log in, or the server has refused the token. */
const isForOwner = ({ reason }: OAuthError): boolean =>
  reason._tag === "AuthorizationRequired" || reason._tag === "UpstreamUnauthorized"

const answer = ({ body, response }: Exchange, failure: GatewayFailure) =>
  Effect.logWarning(failure.message).pipe(
    Effect.annotateLogs({ server_name: failure.serverName, correlation_id: failure.correlationId }),
    Effect.andThen(writeFailure(response, failure, body.head))
  )

const serverNameOf = ({ url = "" }: IncomingMessage): string =>
  /^\/servers\/([^/?]+)\/mcp(?:\?|$)/.exec(url)?.[1] ?? ""
