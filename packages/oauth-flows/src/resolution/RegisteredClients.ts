import { AuthorizationRequired, Misconfigured, RegisteredClients } from "@secure-mcp/oauth-core"
import type { GrantedClient, GrantRequest, OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { createHash } from "node:crypto"
import { type Client, grantedRegistration } from "../client/Client.ts"
import type { AuthorizationServerMetadata } from "../discovery/AuthorizationServerMetadata.ts"
import { assertionAudience } from "../discovery/Issuer.ts"
import { withoutQuery } from "../endpoint/Endpoint.ts"
import { EndpointClient } from "../endpoint/EndpointClient.ts"
import { type ClientMetadata, clientMetadata, registerClient } from "./ClientRegistration.ts"

/** Asks for a client that is registered for a grant which a person begins. */
export interface RegistrationRequest {
  readonly request: GrantRequest
  /** What identifies the server, whatever its metadata calls it. */
  readonly issuer: string
  readonly metadata: AuthorizationServerMetadata
  /** Undefined for a grant on another device. */
  readonly redirectUri: string | undefined
  /** All that may be requested later. */
  readonly scope: string | undefined
}

/** The client that is there already, or the registration that would make one. */
export type ClientPlan =
  | { readonly _tag: "Known"; readonly client: Client }
  | {
      readonly _tag: "Registration"
      readonly registrationEndpoint: string
      readonly asked: ClientMetadata
    }

/** A client that has replaced another one is not replaced itself before this time. */
const shortestLife = Duration.toMillis("10 minutes")
/** Issuers and clients that are remembered as forgotten. The oldest is evicted first. */
const capacity = 1000

/**
 * Registers once for the same issuer and the same metadata, and again after the client secret has expired or the server
 * has forgotten the client: for that at most once in ten minutes, so that a server that refuses every client is not
 * filled with them.
 */
export const makeRegisteredClients = Effect.gen(function* () {
  const endpointClient = yield* EndpointClient
  const clients = Option.getOrUndefined(yield* Effect.serviceOption(RegisteredClients)) ?? (yield* inMemory)
  /** When a client was forgotten last, by issuer. */
  const forgottenAt = new Map<string, number>()
  /** When a client was registered in place of a forgotten one. */
  const replacedAt = new Map<string, number>()
  const forgotten = new Set<string>()

  const get = Effect.fnUntraced(function* (wanted: RegistrationRequest) {
    const { issuer, request } = wanted
    const { asked, audience, fingerprint, registrationEndpoint } = yield* planRegistration(wanted)
    const register = registerClient(request, { audience, registrationEndpoint }, asked).pipe(
      Effect.tap(({ clientId }) => noteReplacement(issuer, clientId)),
      Effect.map((client) => grantedRegistration(client, issuer)),
      Effect.provideService(EndpointClient, endpointClient)
    )
    return clientOf(yield* clients.obtain({ issuer, fingerprint }, register), audience)
  })

  /** What `get` would do: the client that is there already, or the registration that it would make. */
  const plan = Effect.fnUntraced(function* (
    wanted: RegistrationRequest
  ): Effect.fn.Return<ClientPlan, OAuthErrorReason> {
    const { asked, audience, fingerprint, registrationEndpoint } = yield* planRegistration(wanted)
    return yield* clients
      .obtain({ issuer: wanted.issuer, fingerprint }, Effect.fail(new AuthorizationRequired({})))
      .pipe(
        Effect.map((found): ClientPlan => ({ _tag: "Known", client: clientOf(found, audience) })),
        Effect.catchTag("AuthorizationRequired", () =>
          Effect.succeed<ClientPlan>({ _tag: "Registration", registrationEndpoint, asked })
        )
      )
  })

  const noteReplacement = (issuer: string, clientId: string) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      forgotten.delete(idOf(issuer, clientId))
      const since = forgottenAt.get(issuer)
      if (since !== undefined && now - since < shortestLife) remember(replacedAt, idOf(issuer, clientId), now)
    })

  const forget = Effect.fnUntraced(function* (issuer: string, { clientId }: Client) {
    const id = idOf(issuer, clientId)
    const now = yield* Clock.currentTimeMillis
    const since = replacedAt.get(id)
    if (since !== undefined && now - since < shortestLife) {
      yield* Effect.logWarning(
        `The authorization server ${withoutQuery(issuer)} refuses a client that it has just registered. No other one is registered within ten minutes`
      )
      return false
    }
    remember(forgottenAt, issuer, now)
    forgotten.add(id)
    evictOldest(forgotten)
    yield* clients.forget(issuer, clientId)
    yield* Effect.logWarning(
      `The authorization server ${withoutQuery(issuer)} no longer knows our registered client: the next login registers another one`
    )
    return true
  })

  const isForgotten = (issuer: string, { clientId }: Client): boolean => forgotten.has(idOf(issuer, clientId))

  return { get, plan, forget, isForgotten }
})

/** What would be sent to register a client, and where. */
const planRegistration = Effect.fnUntraced(function* ({
  issuer,
  metadata,
  redirectUri,
  request,
  scope
}: RegistrationRequest) {
  const { registrationEndpoint } = metadata
  if (registrationEndpoint === undefined) {
    return yield* new Misconfigured({
      problem: `the authorization server ${withoutQuery(issuer)} registers no clients: configure \`client_id\`, and \`client_secret\` if the client has one`
    })
  }
  const asked = yield* clientMetadata(request.config, metadata, redirectUri, scope)
  return {
    asked,
    registrationEndpoint,
    audience: assertionAudience(issuer, metadata.issuer),
    fingerprint: fingerprintOf(request, registrationEndpoint, asked)
  }
})

const inMemory = Effect.map(Layer.build(RegisteredClients.layerMemory), Context.get(RegisteredClients))

/** A registered client, as it is used. */
export const clientOf = (
  { clientId, clientSecret, clientSecretExpiresAt, tokenEndpointAuthMethod }: GrantedClient,
  audience: string
): Client => ({
  clientId,
  clientSecret,
  clientSecretExpiresAt,
  authenticationMethod: tokenEndpointAuthMethod ?? "none",
  audience,
  source: "registered"
})

const idOf = (issuer: string, clientId: string): string => JSON.stringify([issuer, clientId])

const remember = (times: Map<string, number>, id: string, now: number): void => {
  times.delete(id)
  times.set(id, now)
  evictOldest(times)
}

const evictOldest = (known: Map<string, number> | Set<string>): void => {
  const [oldest] = known.keys()
  if (known.size > capacity && oldest !== undefined) known.delete(oldest)
}

/** The same for the same metadata at the same place, over a connection with the same certificate. */
const fingerprintOf = (
  { config: { caBundlePath, clientCertPath, clientPkcs12Path } }: GrantRequest,
  registrationEndpoint: string,
  asked: ClientMetadata
): string =>
  createHash("sha256")
    .update(JSON.stringify([registrationEndpoint, asked, [clientCertPath, clientPkcs12Path, caBundlePath]]))
    .digest("hex")
