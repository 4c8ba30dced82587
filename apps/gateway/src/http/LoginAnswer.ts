import type { AccessTokenRequest, CompletedAuthorization, OAuthError } from "@secure-mcp/oauth-core"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { answerWithLogin, loginInputKey, takeLoginAnswer } from "../login/LoginPrompt.ts"
import { Logins } from "../login/Logins.ts"
import { sendJson } from "../jsonrpc/HttpAnswer.ts"
import { type GatewayFailure, writeFailure } from "./GatewayFailure.ts"
import { parseJson } from "../jsonrpc/JsonRpc.ts"
import type { Exchange } from "../upstream/Upstream.ts"

/** How long a request is held whose sender says that the person is logging in. */
const longestLogin = Duration.seconds(60)

/** An exchange without the answer to a prompt of ours, and whether the person agreed to log in. */
export const withoutLoginAnswer = (
  exchange: Exchange
): { readonly exchange: Exchange; readonly accepted: boolean } => {
  const { body } = exchange
  // Looking for the name of our key spares all other requests the parsing.
  if (body.rest !== undefined || !body.head.includes(loginInputKey)) return { exchange, accepted: false }
  const taken = takeLoginAnswer(parseJson(body.head))
  if (taken === undefined) return { exchange, accepted: false }
  const head = Buffer.from(JSON.stringify(taken.message))
  return { exchange: { ...exchange, body: { head } }, accepted: taken.accepted }
}

/** Waits until the person has logged in, but not forever: the client may ask again. */
export const awaitLogin = Effect.fnUntraced(function* (request: AccessTokenRequest) {
  const logins = yield* Logins
  yield* logins.completed.pipe(
    Stream.filter((completed) => isFor(request, completed)),
    Stream.runHead,
    Effect.timeoutOption(longestLogin)
  )
})

const isFor = (request: AccessTokenRequest, { serverName, subject }: CompletedAuthorization): boolean =>
  serverName === request.serverName && subject === request.subject

/** Begins a login and tells the client where, in the way of its own revision if it has one. */
export const askForLogin = Effect.fnUntraced(function* (
  { body, request, response }: Exchange,
  tokenRequest: AccessTokenRequest,
  error: OAuthError,
  failure: GatewayFailure
) {
  const logins = yield* Logins
  const random = yield* SecureRandom.SecureRandom
  const challenge = error.reason._tag === "AuthorizationRequired" ? error.reason.challenge : undefined
  const { authorizationUrl } = yield* logins.begin(tokenRequest, challenge)
  const version = request.headers["mcp-protocol-version"]
  const prompt = { serverName: tokenRequest.serverName, authorizationUrl, promptId: yield* random.uuidV4() }
  const message = answerWithLogin(
    parseJson(body.head),
    typeof version === "string" ? version : undefined,
    prompt
  )
  yield* Effect.logInfo(`A person has to log in to "${tokenRequest.serverName}"`)
  yield* Effect.sync(() =>
    message === undefined
      ? writeFailure(response, { ...failure, authorizationUrl }, body.head)
      : sendJson(response, 200, message)
  )
})
