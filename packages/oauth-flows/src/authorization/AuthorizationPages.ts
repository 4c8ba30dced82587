import type { GrantRequest } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type { Answer } from "../endpoint/Answer.ts"
import { EndpointClient } from "../endpoint/EndpointClient.ts"
import { parseFields } from "../endpoint/ResponseBody.ts"
import type { GrantTarget } from "../resolution/GrantTarget.ts"
import { meansUnknownClient, type Refusal } from "../resolution/UnknownClient.ts"
import { authorizationUrlOf, newState } from "./AuthorizationUrl.ts"
import { makePkce } from "./Pkce.ts"

/**
 * Finds out whether authorization pages refuse a registered client that their server has forgotten. Such a page shows
 * the person an error and sends nobody back, so only a login that does not return gives a hint.
 */
export class AuthorizationPages extends Context.Service<
  AuthorizationPages,
  {
    /** Takes note that a person was given the URL of a login. */
    readonly begun: (target: GrantTarget) => Effect.Effect<void>
    /** Takes note that a login came back from the page. */
    readonly returned: (target: GrantTarget) => Effect.Effect<void>
    /**
     * Whether the page refuses the client. Asks the page only for a registered client whose last login has not come
     * back, though it was begun two seconds ago or asked for twice since; and ever more rarely while that goes on.
     * Sends nothing that belongs to a person or to a pending login.
     */
    readonly refuses: (
      request: GrantRequest,
      target: GrantTarget,
      redirectUri: string
    ) => Effect.Effect<boolean>
  }
>()("@secure-mcp/oauth-flows/AuthorizationPages") {
  static readonly layer: Layer.Layer<
    AuthorizationPages,
    never,
    EndpointClient | SecureRandom.SecureRandom | Digest.Digest
  > = Layer.effect(
    AuthorizationPages,
    Effect.suspend(() => make)
  )
}

/** A login that has not come back. */
interface Waiting {
  /** Milliseconds since the epoch. */
  readonly begunAt: number
  /** How often a login was asked for since. */
  readonly asked: number
  readonly pause: number
  readonly nextProbeAt: number
}

/** Somebody who asks again sooner may not have opened the page yet. */
const shortestLogin = Duration.toMillis("2 seconds")
const firstPause = Duration.toMillis("1 second")
const longestPause = Duration.toMillis("5 minutes")
/** Clients whose login is waited for. The oldest is evicted first. */
const capacity = 1000

const make = Effect.gen(function* () {
  const services = Context.pick(
    EndpointClient,
    SecureRandom.SecureRandom,
    Digest.Digest
  )(yield* Effect.context<EndpointClient | SecureRandom.SecureRandom | Digest.Digest>())
  const waiting = new Map<string, Waiting>()

  /** Whether the page is to be asked now. */
  const isDue = (id: string, now: number): boolean => {
    const known = waiting.get(id)
    if (known === undefined) return false
    const asked = known.asked + 1
    const isOld = asked >= 2 || now - known.begunAt >= shortestLogin
    if (!isOld || now < known.nextProbeAt) {
      waiting.set(id, { ...known, asked })
      return false
    }
    const pause = Math.min(known.pause * 2, longestPause)
    waiting.set(id, { ...known, asked, pause, nextProbeAt: now + pause })
    return true
  }

  return AuthorizationPages.of({
    begun: (target) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        if (target.client.source !== "registered") return
        const id = idOf(target)
        if (waiting.has(id)) return
        waiting.set(id, { begunAt: now, asked: 0, pause: firstPause, nextProbeAt: 0 })
        const [oldest] = waiting.keys()
        if (waiting.size > capacity && oldest !== undefined) waiting.delete(oldest)
      }),
    returned: (target) => Effect.sync(() => waiting.delete(idOf(target))),
    refuses: Effect.fnUntraced(function* (request, target, redirectUri) {
      if (target.client.source !== "registered") return false
      const now = yield* Clock.currentTimeMillis
      return isDue(idOf(target), now) && (yield* probe(request, target, redirectUri))
    }, Effect.provide(services))
  })
})

const idOf = ({ client, issuer }: GrantTarget): string => JSON.stringify([issuer, client.clientId])

/**
 * Asks for the page as a browser without cookies does, and does not follow where it leads. Of `authorize_params`
 * nothing is sent, because they may name a person. Anything but a clear no counts as the page of a login.
 */
const probe = Effect.fn("AuthorizationPages.probe")(
  function* (request: GrantRequest, target: GrantTarget, redirectUri: string) {
    const endpoint = target.authorizationEndpoint
    const url = endpoint === undefined ? null : URL.parse(endpoint.url)
    if (endpoint === undefined || url === null) return false
    const { codeChallenge: _, codeVerifier: __, ...rest } = request.config
    const config = { ...rest, authorizeParams: {} }
    const authorizationUrl = authorizationUrlOf(url, {
      request: { ...request, config },
      target,
      redirectUri,
      pkce: yield* makePkce(config, target.metadata),
      state: yield* newState,
      scope: target.scope
    })
    const message = HttpClientRequest.get(authorizationUrl)
    const isRefused = yield* (yield* EndpointClient).send(
      { request, endpoint, message, secrets: [], anyStatus: true },
      (answer) => Effect.succeed(refusesClient(answer))
    )
    if (isRefused) yield* Effect.logWarning(`${endpoint.name} refuses our registered client`)
    return isRefused
  },
  Effect.catch(({ message }) =>
    Effect.as(Effect.logDebug(`The authorization page could not be asked: ${message}`), false)
  )
)

/**
 * A redirect or a success is a login under way, unless it says that the client is unknown. An error page for a request
 * that is the same for every client but for the client refuses it; only 401 may be a login as well (RFC 9110 §11.6.1),
 * and any other error may come from a firewall, so there the server has to say it. A server that is down has not
 * looked.
 */
const refusesClient = ({ body, headers, status }: Answer): boolean => {
  if (status === 429 || status >= 500) return false
  if (status >= 300 && status < 400) return refusedIn(redirectError(headers["location"]))
  if ([400, 404, 410, 422].includes(status)) return true
  if (status === 401 && headers["www-authenticate"] === undefined) return true
  const page = Result.getOrElse(body, () => "")
  const fields = Result.getOrUndefined(parseFields(page))
  if (fields !== undefined) return refusedIn({ error: text(fields["error"]), description: words(fields) })
  return status >= 400 && refusedIn({ description: withoutTags(page) })
}

const refusedIn = ({ description, error }: Words): boolean => {
  const refusal: Refusal = {
    ...(error === undefined ? {} : { error }),
    ...(description === undefined ? {} : { description })
  }
  return error === "unauthorized_client" || meansUnknownClient(refusal)
}

interface Words {
  readonly error?: string | undefined
  readonly description?: string | undefined
}

const text = (value: unknown): string | undefined => (Predicate.isString(value) ? value : undefined)

const words = (fields: Readonly<Record<string, unknown>>): string | undefined =>
  text(fields["error_description"]) ?? text(fields["message"])

const redirectError = (location: string | undefined): Words => {
  const parameters =
    location === undefined ? undefined : URL.parse(location, "http://page.invalid")?.searchParams
  return {
    error: parameters?.get("error") ?? undefined,
    description: parameters?.get("error_description") ?? undefined
  }
}

const withoutTags = (page: string): string =>
  page
    .slice(0, 64 * 1024)
    // No tag holds a second "<". Without that rule a page of them would be looked through from each to its end.
    .replaceAll(/<[^<>]*>/g, " ")
    .replaceAll(/\s+/g, " ")
