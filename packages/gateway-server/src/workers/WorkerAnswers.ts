import type { IncomingMessage, ServerResponse } from "node:http"
import { type OAuthError, withCorrelationId } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import { type BegunExchange, BegunExchanges } from "../http/BegunExchanges.ts"
import { allowOrigin } from "../http/CrossOrigin.ts"
import { answerBug, answerFailure, failedAuthorization, unanswered } from "../http/GatewayFailure.ts"
import { mayHaveLoginAnswer } from "../http/LoginAnswer.ts"
import { type McpServer, McpServers } from "../http/McpServers.ts"
import type { OwnerForward } from "./OwnerForward.ts"

/**
 * Answers what `DirectAnswers` leaves over in a worker: it goes on with what was begun there, and asks the owner for a token
 * first if there is none. Everything else is given to the owner as it came: other paths, requests that are refused,
 * logins, long bodies, servers that only the owner has, and requests whose token a server has refused.
 */
export const makeWorkerAnswers = Effect.fnUntraced(function* (forward: OwnerForward) {
  const servers = yield* McpServers
  const begunExchanges = yield* BegunExchanges
  const run = yield* FiberSet.makeRuntime<never, void>()

  const goOn = ({ limits, upstream }: McpServer, { exchange, rest, serverName }: BegunExchange) => {
    const { body, request, response } = exchange
    return limits.admit(exchange, rest ?? upstream.handle(exchange)).pipe(
      Effect.catchTags({
        OAuthError: (error) =>
          isForOwner(error)
            ? Effect.sync(() => forward(request, response, body))
            : answerFailure(
                response,
                body.head,
                failedAuthorization(error, upstream.tokenRequest(exchange.caller))
              ),
        UpstreamFailure: (failure) => answerFailure(response, body.head, unanswered(failure))
      }),
      Effect.catchDefect((defect) => answerBug(response, body.head, serverName, defect)),
      withCorrelationId
    )
  }

  return (request: IncomingMessage, response: ServerResponse): void => {
    const begun = begunExchanges.of(request)
    const server = begun && servers.get(begun.serverName)
    if (begun === undefined || server === undefined || !isOrdinary(begun))
      return forward(request, response, begun?.exchange.body)
    allowOrigin(request, response)
    run(goOn(server, begun))
  }
})

const isOrdinary = ({ exchange: { body }, rest }: BegunExchange): boolean =>
  rest !== undefined || (body.rest === undefined && !mayHaveLoginAnswer(body))

/** A person has to log in, or the server has refused the token. */
const isForOwner = ({ reason }: OAuthError): boolean =>
  reason._tag === "AuthorizationRequired" || reason._tag === "UpstreamUnauthorized"
