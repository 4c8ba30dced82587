import { ClientCertificates } from "@secure-mcp/mtls"
import {
  isLoopbackHost,
  OAuthService,
  type AccessTokenRequest,
  type Challenge,
  type CompletedAuthorization,
  type OAuthConfig,
  type OAuthError
} from "@secure-mcp/oauth-core"
import * as Cache from "effect/Cache"
import * as Context from "effect/Context"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { GatewaySettings } from "../config/GatewaySettings.ts"
import { type CallbackListenerError, type Complete, makeCallbackListener } from "./CallbackListener.ts"
import { firstChallenge } from "./FirstChallenge.ts"
import type { LoginLink } from "./LoginLink.ts"
import { type CallbackRefused, type LoginLinks, makeLoginLinks, type TooManyLogins } from "./LoginLinks.ts"
import { makeLoginPage } from "./LoginPage.ts"
import { PersonPages } from "./PersonPages.ts"
import { personPaths, personUrl } from "./PersonPaths.ts"

/** Logins that people complete in their browsers while the gateway or a command runs. */
export class Logins extends Context.Service<
  Logins,
  {
    /**
     * Begins a login; returns the URL that a person is to open. The callback listener is bound before.
     *
     * @param challenge of `AuthorizationRequired`: the login requests the scope it names
     * @param client what the MCP client calls itself that asks for it
     */
    readonly begin: (
      request: AccessTokenRequest,
      challenge?: Challenge,
      client?: string
    ) => Effect.Effect<string, OAuthError | CallbackListenerError | TooManyLogins>
    /** The link with an id; undefined for one that has ended, has expired or never was. */
    readonly findLink: (id: string) => Effect.Effect<LoginLink | undefined>
    /** The links of a person that wait for a browser, the newest first: those that this process knows of. */
    readonly waitingOf: (person: string) => Effect.Effect<ReadonlyArray<LoginLink>>
    /**
     * Completes a login with the parameters of the redirect, if this person asked for it: the browser that they came with
     * has logged in as that person.
     */
    readonly completeAs: (
      person: string,
      parameters: URLSearchParams
    ) => Effect.Effect<CompletedAuthorization, OAuthError | CallbackRefused>
    /** Completes a login with the parameters of the redirect. The same ones again have the same outcome. */
    readonly complete: (parameters: URLSearchParams) => Effect.Effect<CompletedAuthorization, OAuthError>
    /** The logins that are completed from now on. */
    readonly completed: Stream.Stream<CompletedAuthorization>
    /** The logins that fail from now on, denied ones included. A redirect that belongs to no login is not one. */
    readonly failed: Stream.Stream<OAuthError>
  }
>()("@secure-mcp/gateway/Logins") {
  /**
   * Logins of people who are elsewhere. The URL that a person opens is a link of the gateway, and a redirect counts only
   * from the browser that has confirmed its page. Listens at the `redirect_uri` of a configuration, else on
   * `callback_port`, until the layer is released.
   *
   * @param waitingLogins how many may wait for one server
   * @param configs those whose logins may have begun in another process: their redirects are listened for from the beginning
   */
  static readonly layer = (
    settings: LoginSettings,
    waitingLogins: (serverName: string) => number,
    configs: ReadonlyArray<OAuthConfig> = []
  ): LoginsLayer =>
    Layer.effect(Logins, make(settings, makeLoginLinks(waitingLogins), configs)).pipe(
      Layer.provide(SecureRandom.layerWebCrypto)
    )

  /** Logins of the person at the terminal, who opens the authorization URL itself. Listens as `layer` does. */
  static readonly layerAtTerminal = (settings: LoginSettings): LoginsLayer =>
    Layer.effect(Logins, make(settings, Effect.undefined)).pipe(Layer.provide(SecureRandom.layerWebCrypto))
}

type LoginSettings = Pick<GatewaySettings, "callbackPort">
type LoginsLayer = Layer.Layer<Logins, never, OAuthService | ClientCertificates>

/** Whether a completed login is the one that a token request waits for. */
export const isLoginOf = (
  request: AccessTokenRequest,
  { serverName, subject }: CompletedAuthorization
): boolean => serverName === request.serverName && subject === request.subject

const make = Effect.fnUntraced(function* (
  { callbackPort }: LoginSettings,
  linksOrNone: Effect.Effect<LoginLinks | undefined, never, SecureRandom.SecureRandom>,
  configs: ReadonlyArray<OAuthConfig> = []
) {
  const oauth = yield* OAuthService
  const certificates = yield* ClientCertificates
  const scope = yield* Effect.scope
  const completions = yield* PubSub.unbounded<CompletedAuthorization>()
  const failures = yield* PubSub.unbounded<OAuthError>()
  const links = yield* linksOrNone
  const pages = yield* PersonPages
  const loginPage = links === undefined ? undefined : yield* makeLoginPage(links)

  // Browsers fetch a redirect ahead of time, link scanners open it, people reload it: every visit gets the first one's
  // outcome. What belongs to no login is not remembered, so that strangers cannot displace what does.
  const outcomes = yield* Cache.makeWith(
    (query: string) =>
      oauth.completeAuthorization(new URLSearchParams(query)).pipe(
        Effect.tap((completed) => PubSub.publish(completions, completed)),
        Effect.tapError((error) => (isOfNoLogin(error) ? Effect.void : PubSub.publish(failures, error)))
      ),
    {
      capacity: rememberedOutcomes,
      timeToLive: (exit) =>
        Option.exists(Exit.findErrorOption(exit), isOfNoLogin) ? Duration.zero : Duration.minutes(10)
    }
  )
  const complete = (parameters: URLSearchParams) => Cache.get(outcomes, parameters.toString())

  /** Completes a login that was admitted. Its links lead nowhere then. */
  const completeAdmitted = (links: LoginLinks, parameters: URLSearchParams) => {
    const end = links.end(parameters.get("state"))
    return complete(parameters).pipe(
      Effect.tap(end),
      Effect.tapErrorTag("OAuthError", (error) =>
        isOfNoLogin(error)
          ? Effect.void
          : Effect.andThen(
              end,
              Effect.logInfo(`A login to "${error.serverName}" failed: ${error.reason.message}`)
            )
      )
    )
  }

  const completeInBrowser: Complete = Effect.fnUntraced(function* (parameters, cookies) {
    if (links === undefined) return yield* complete(parameters)
    const base = yield* links.admit(parameters.get("state"), cookies)
    return base === undefined
      ? yield* completeAdmitted(links, parameters)
      : { location: `${personUrl(base, personPaths.callback)}?${parameters}` }
  })

  // One for each port. A failure is not cached: a port that is in use may be free the next time.
  const listeners = yield* Cache.makeWith(
    ({ host, port }: CallbackOrigin) =>
      makeCallbackListener({ host, port, complete: completeInBrowser, loginPage }).pipe(Scope.provide(scope)),
    {
      capacity: Number.POSITIVE_INFINITY,
      timeToLive: (exit) => (Exit.isSuccess(exit) ? Duration.infinity : Duration.zero)
    }
  )

  const listen = Effect.fnUntraced(function* ({ redirectUri }: OAuthConfig) {
    const { path, ...origin } = callbackAddress(redirectUri, callbackPort)
    const listener = yield* Cache.get(listeners, origin)
    const listening = yield* listener.redirectUri(path)
    return redirectUri ?? listening
  })

  // A balancer gives the redirect of a login to any instance. Where the port is not free, a login that begins here says so.
  if (callbackPort !== 0)
    yield* Effect.forEach(configs.filter(isBehindProxy), (config) =>
      Effect.catch(listen(config), ({ message }) => Effect.logWarning(message))
    )

  return Logins.of({
    begin: Effect.fnUntraced(function* (request, challenge, client) {
      if (links !== undefined) yield* links.checkRoom(request)
      const base = links === undefined ? undefined : yield* pages.baseFor(request.subjectIssuer)
      const redirectUri =
        base === undefined || request.config.redirectUri !== undefined
          ? yield* listen(request.config)
          : personUrl(base, personPaths.callback)
      const { authorizationUrl } = yield* oauth.authorize(request, {
        redirectUri,
        challenge: challenge ?? (yield* firstChallenge(certificates, request))
      })
      const { serverName, subject, subjectName } = request
      return links === undefined
        ? authorizationUrl
        : yield* links.add({
            serverName,
            subject,
            ...(subjectName === undefined ? {} : { subjectName }),
            ...(base === undefined ? {} : { base }),
            ...(client === undefined ? {} : { client }),
            authorizationUrl,
            redirectUri
          })
    }),
    findLink: (id) => links?.find(id) ?? Effect.undefined,
    waitingOf: (person) => links?.waitingOf(person) ?? Effect.succeed([]),
    completeAs: (person, parameters) =>
      links === undefined
        ? complete(parameters)
        : Effect.andThen(
            links.admitPerson(parameters.get("state"), person),
            completeAdmitted(links, parameters)
          ),
    complete,
    completed: Stream.fromPubSub(completions),
    failed: Stream.fromPubSub(failures)
  })
})

/** Whether redirects come to `callback_port` through a reverse proxy, and so perhaps to another instance. */
const isBehindProxy = ({ grantType, redirectUri }: OAuthConfig): boolean => {
  const url = redirectUri === undefined ? null : URL.parse(redirectUri)
  return grantType === "authorization_code" && url !== null && url.protocol === "https:"
}

const rememberedOutcomes = 1000

const isOfNoLogin = ({ reason }: OAuthError): boolean => reason._tag === "AuthorizationResponseInvalid"

interface CallbackOrigin {
  readonly host: string
  readonly port: number
}

interface CallbackAddress extends CallbackOrigin {
  readonly path: string
}

/**
 * The address to listen on for a redirect URI: its own if that is a loopback address; otherwise `callback_port`, to which
 * a reverse proxy forwards.
 */
export const callbackAddress = (redirectUri: string | undefined, callbackPort: number): CallbackAddress => {
  const url = redirectUri === undefined ? null : URL.parse(redirectUri)
  if (url === null) return { host: "127.0.0.1", port: callbackPort, path: "/oauth/callback" }
  return url.protocol === "http:" && isLoopbackHost(url.hostname)
    ? { host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port || "80"), path: url.pathname }
    : { host: "127.0.0.1", port: callbackPort, path: url.pathname }
}
