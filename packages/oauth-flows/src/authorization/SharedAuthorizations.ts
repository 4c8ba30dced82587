import {
  type AccessTokenRequest,
  AuthorizationResponseInvalid,
  Challenge,
  CorrelationId,
  type GrantRequest,
  LoginRecords,
  type OAuthErrorReason
} from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { GrantTargets } from "../resolution/GrantTarget.ts"
import { consentRequestOf } from "./ConsentRequest.ts"
import { lifetime, type PendingAuthorization } from "./PendingAuthorizations.ts"

/**
 * Which request a login belongs to that another process began: a record of it says the name of the server and of the person, and this
 * process has the configuration. By default none is known.
 */
export const LoginRequests = Context.Reference<{
  readonly find: (serverName: string, subject: string | undefined) => AccessTokenRequest | undefined
}>("@secure-mcp/oauth-flows/LoginRequests", { defaultValue: () => ({ find: () => undefined }) })

/** What another process needs to complete a login. Encoded it has secrets: it is stored encrypted. */
const Shared = Schema.fromJsonString(
  Schema.Struct({
    serverName: Schema.String,
    subject: Schema.optionalKey(Schema.String),
    challenge: Schema.optionalKey(Challenge),
    consentOnly: Schema.optionalKey(Schema.Boolean),
    redirectUri: Schema.String,
    pkce: Schema.optionalKey(
      Schema.Struct({
        verifier: Schema.RedactedFromValue(Schema.String),
        challenge: Schema.String,
        method: Schema.Literals(["S256", "plain"])
      })
    ),
    scope: Schema.optionalKey(Schema.String),
    authorizationUrl: Schema.String,
    issuer: Schema.optionalKey(Schema.String),
    tokenEndpoint: Schema.String,
    clientId: Schema.String
  })
)

const encode = Schema.encodeEffect(Shared)
const decode = Schema.decodeUnknownOption(Shared)

/** By the SHA-256 of its `state`: who sees the name of a record learns no state. */
const idOf = Effect.fnUntraced(function* (state: string) {
  const digest = yield* Digest.Digest
  return `state-${yield* digest.digestHex(Digest.sha256, new TextEncoder().encode(state))}`
})

/** Lets every process that shares the records complete a login. A store that is away costs a warning: then it ends here. */
export const shareAuthorization = Effect.fn("SharedAuthorizations.share")(function* (
  pending: PendingAuthorization
) {
  const records = yield* LoginRecords
  if (records === undefined) return
  const { authorizationUrl, pkce, redirectUri, request, scope, state, target } = pending
  const { challenge, consentOnly, serverName, subject } = request
  const text = yield* Effect.orDie(
    encode({
      serverName,
      ...(subject === undefined ? {} : { subject }),
      ...(challenge === undefined ? {} : { challenge }),
      ...(consentOnly === undefined ? {} : { consentOnly }),
      redirectUri,
      ...(pkce === undefined ? {} : { pkce }),
      ...(scope === undefined ? {} : { scope }),
      authorizationUrl,
      ...(target.issuer === undefined ? {} : { issuer: target.issuer }),
      tokenEndpoint: target.tokenEndpoint.url,
      clientId: target.client.clientId
    })
  )
  const id = yield* idOf(Redacted.value(state))
  yield* Effect.catch(records.put(id, Redacted.make(text), lifetime), ({ message }) =>
    Effect.logWarning(`A login can end in this process only: ${message}`)
  )
})

/** A login that another process began; undefined if there is none with this `state`. */
export const findShared = Effect.fn("SharedAuthorizations.find")(function* (
  state: string
): Effect.fn.Return<PendingAuthorization | undefined, OAuthErrorReason, GrantTargets | Digest.Digest> {
  const records = yield* LoginRecords
  const text = records && (yield* records.get(yield* idOf(state)))
  const record = text === undefined ? undefined : Option.getOrUndefined(decode(Redacted.value(text)))
  if (record === undefined) return undefined
  const { authorizationUrl, challenge, consentOnly, pkce, redirectUri, scope, serverName, subject } = record
  const configured = (yield* LoginRequests).find(serverName, subject)
  const known =
    consentOnly === true && configured !== undefined
      ? consentRequestOf({ ...configured, subjectIssuer: record.issuer })
      : configured
  if (known === undefined) return undefined
  const request: GrantRequest = {
    ...known,
    correlationId: (yield* CorrelationId) ?? "",
    ...(challenge === undefined ? {} : { challenge })
  }
  const target = yield* (yield* GrantTargets).resolve(request, { redirectUri })
  const isSame =
    target.issuer === record.issuer &&
    target.tokenEndpoint.url === record.tokenEndpoint &&
    target.client.clientId === record.clientId
  if (!isSame)
    return yield* new AuthorizationResponseInvalid({
      problem:
        "the process that began its login asks another authorization server, or as another client. All processes need the same configuration"
    })
  return { request, target, redirectUri, pkce, state: Redacted.make(state), scope, authorizationUrl }
})

/**
 * Takes a login from all processes. Undefined where it is not shared: then only this process knows of it, or the store
 * cannot be asked.
 */
export const takeShared = Effect.fn("SharedAuthorizations.take")(function* ({ state }: PendingAuthorization) {
  const records = yield* LoginRecords
  if (records === undefined) return undefined
  return yield* records.take(yield* idOf(Redacted.value(state))).pipe(
    Effect.map((record) => record !== undefined),
    Effect.catch(({ message }) =>
      Effect.as(Effect.logWarning(`Whether a login has ended elsewhere is not known: ${message}`), undefined)
    )
  )
})
