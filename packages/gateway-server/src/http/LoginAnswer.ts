import { type AccessTokenRequest, LoginRecords, type OAuthError, OAuthService } from "@secure-mcp/oauth-core"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { answerWithLogin, loginInputKey, takeLoginAnswer } from "../login/LoginPrompt.ts"
import { isLoginOf, Logins } from "../login/Logins.ts"
import { clientNameOf } from "../jsonrpc/ClientName.ts"
import { sendJson } from "../jsonrpc/HttpAnswer.ts"
import { type GatewayFailure, writeFailure } from "./GatewayFailure.ts"
import { readOnlyMessage } from "../jsonrpc/JsonRpc.ts"
import { PersonActivity } from "../status/PersonActivity.ts"
import type { RequestBody } from "../upstream/RequestBody.ts"
import type { Exchange } from "../upstream/Upstream.ts"

/** How long a request waits when its client says that the person is logging in. */
const longestLogin = Duration.seconds(60)

/** How often a store that is shared is looked into meanwhile. */
const lookInterval = Duration.seconds(3)
const looks = Duration.toSeconds(longestLogin) / Duration.toSeconds(lookInterval)

/** Whether a body may hold the answer of a client who was asked to log in: it has the key of our question. */
export const mayHaveLoginAnswer = ({ head, rest }: RequestBody): boolean =>
  rest === undefined && head.includes(loginInputKey)

/** The exchange without the client's answer to our login prompt, and whether the person agreed to log in. */
export const withoutLoginAnswer = Effect.fnUntraced(function* (
  exchange: Exchange
): Effect.fn.Return<{ readonly exchange: Exchange; readonly accepted: boolean }> {
  const { body } = exchange
  // Asked first: then no other request is parsed.
  if (!mayHaveLoginAnswer(body)) return { exchange, accepted: false }
  const message = yield* readOnlyMessage(body.head)
  const taken = message === undefined ? undefined : takeLoginAnswer(message)
  if (taken === undefined) return { exchange, accepted: false }
  const head = Buffer.from(taken.text)
  return { exchange: { ...exchange, body: { head } }, accepted: taken.accepted }
})

/** How the route asks people to log in, and waits for them. */
export const makeLoginAnswers = Effect.gen(function* () {
  const logins = yield* Logins
  const activity = yield* PersonActivity
  const random = yield* SecureRandom.SecureRandom
  const oauth = yield* OAuthService
  const isShared = (yield* LoginRecords) !== undefined

  /** Done when another process has stored the token of a login that ended there. */
  const endElsewhere = (request: AccessTokenRequest) =>
    Effect.delay(oauth.getAccessToken(request), lookInterval).pipe(
      Effect.retry({ times: looks }),
      Effect.orElseSucceed(() => undefined)
    )

  return {
    /** Waits until the person has logged in, but not forever: the client may ask again. */
    awaitLogin: (request: AccessTokenRequest): Effect.Effect<void> => {
      const endHere = logins.completed.pipe(
        Stream.filter((completed) => isLoginOf(request, completed)),
        Stream.runHead
      )
      const end = isShared ? Effect.raceFirst(endHere, endElsewhere(request)) : endHere
      return Effect.asVoid(Effect.timeoutOption(end, longestLogin))
    },
    /** Starts a login and tells the client the URL, in the way of its own revision if it has one. */
    askForLogin: Effect.fnUntraced(function* (
      { body, request, response }: Exchange,
      tokenRequest: AccessTokenRequest,
      error: OAuthError,
      failure: GatewayFailure
    ) {
      const { serverName } = tokenRequest
      const challenge = error.reason._tag === "AuthorizationRequired" ? error.reason.challenge : undefined
      const message = yield* readOnlyMessage(body.head)
      const client = clientNameOf(message, request.headers["user-agent"])
      const loginUrl = yield* logins.begin(tokenRequest, challenge, client)
      activity.ask(serverName, tokenRequest.subject, client)
      const version = request.headers["mcp-protocol-version"]
      const prompt = { serverName, loginUrl, promptId: yield* random.uuidV4() }
      const text =
        message === undefined
          ? undefined
          : answerWithLogin(message, typeof version === "string" ? version : undefined, prompt)
      yield* Effect.logInfo(`A person has to log in to "${serverName}"`)
      if (text === undefined)
        yield* writeFailure(response, { ...failure, authorizationUrl: loginUrl }, body.head)
      else sendJson(response, 200, text)
    })
  }
})
