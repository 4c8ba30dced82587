import {
  ConnectionFailed,
  describeConnectionFailure,
  EndpointUnavailable,
  Misconfigured,
  OAuthHttp,
  RedirectRefused,
  RequestRefused,
  RequestTimeout
} from "@secure-mcp/oauth-core"
import type {
  ClientAuthenticationMethod,
  GrantRequest,
  OAuthConfig,
  OAuthConnection,
  OAuthErrorReason
} from "@secure-mcp/oauth-core"
import { inSpan } from "@secure-mcp/oauth-core/internal"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import type { HttpClientError } from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { AddressGuard } from "./AddressGuard.ts"
import type { Client } from "../client/Client.ts"
import {
  authenticateClient,
  type ClientAuthentication,
  type FormParameters
} from "../client/ClientAuthentication.ts"
import { hasConfiguredSecret, makeCurrentSecrets, withCurrentSecret } from "../client/CurrentSecrets.ts"
import { makePrivateKeyReader } from "../client/PrivateKey.ts"
import { SecretSource } from "../client/SecretSource.ts"
import type { Endpoint } from "./Endpoint.ts"
import { type Answer, ask } from "./Answer.ts"
import { describeRefusal, type Refuse } from "./ErrorResponse.ts"
import { longestAnswer } from "./ResponseBody.ts"
import { makeSecretMask } from "../mask/SecretMask.ts"

/** A form for an endpoint, without what every form carries: client authentication and correlation id. */
export interface EndpointForm {
  readonly request: GrantRequest
  readonly endpoint: Endpoint
  /** The client that authenticates. */
  readonly client: Client
  readonly parameters: FormParameters
  readonly headers?: Readonly<Record<string, Redacted.Redacted>> | undefined
}

/** Any other request to a server on the way to a token. */
export interface EndpointMessage {
  readonly request: GrantRequest
  readonly endpoint: Endpoint
  readonly message: HttpClientRequest.HttpClientRequest
  /** Values in it that are cut out of the server's words, should the server echo them. */
  readonly secrets: ReadonlyArray<Redacted.Redacted>
  /** Whether redirects to the same origin are followed: only for what carries no credential. Default false. */
  readonly followsRedirects?: boolean | undefined
  /** Whether `useAnswer` gets answers of every status, and not only those that succeed. Default false. */
  readonly anyStatus?: boolean | undefined
  /** The greatest length of the answer's body, in bytes. Default: that of an answer with a token. */
  readonly longestBody?: number | undefined
  /** How the client authenticates with it, if it does. */
  readonly authenticationMethod?: ClientAuthenticationMethod | undefined
}

/**
 * Makes the result of a 2xx answer, within the timeout.
 *
 * @param refuse for an answer that turns out to be a refusal all the same
 * @param certificateThumbprint `x5t#S256` (RFC 8705 §3.1) of the certificate that was presented, if one was
 */
export type UseAnswer<A> = (
  answer: Answer,
  refuse: Refuse,
  certificateThumbprint: string | undefined
) => Effect.Effect<A, OAuthErrorReason>

/** Sends requests to the endpoints of authorization servers, after their addresses were checked. */
export class EndpointClient extends Context.Service<
  EndpointClient,
  {
    /**
     * An authenticated form, once; a second time with new secrets of the client, if the server refuses those it had
     * (`invalid_client`) and `SecretSource` has others. The connection is given back or closed when it ends, however it ends.
     */
    readonly post: <A>(form: EndpointForm, useAnswer: UseAnswer<A>) => Effect.Effect<A, OAuthErrorReason>
    /** A message as it is, once, without client authentication. */
    readonly send: <A>(
      message: EndpointMessage,
      useAnswer: UseAnswer<A>
    ) => Effect.Effect<A, OAuthErrorReason>
  }
>()("@secure-mcp/oauth-flows/EndpointClient") {
  /** @param timeout bounds each attempt, from connecting to the last byte of the answer */
  static readonly layer = (
    timeout: Duration.Input
  ): Layer.Layer<EndpointClient, never, OAuthHttp | AddressGuard> =>
    Layer.effect(
      EndpointClient,
      Effect.gen(function* () {
        const send = makeSend(yield* OAuthHttp, yield* AddressGuard, timeout)
        return { send, post: makePost(send, makePrivateKeyReader(), makeCurrentSecrets(yield* SecretSource)) }
      })
    )
}

type Send = EndpointClient["Service"]["send"]

const makePost =
  (
    send: Send,
    readPrivateKey: ReturnType<typeof makePrivateKeyReader>,
    secrets: ReturnType<typeof makeCurrentSecrets>
  ): EndpointClient["Service"]["post"] =>
  (given, useAnswer) => {
    const { config } = given.request
    const postWith = (current: OAuthConfig) => {
      const form = { ...given, client: withCurrentSecret(given.client, config, current) }
      const authenticate = authenticateClient(form.client, readPrivateKey(current), config.basicEncoding)
      return Effect.flatMap(authenticate, (authentication) =>
        send(
          {
            request: form.request,
            endpoint: form.endpoint,
            message: formMessage(form, authentication),
            secrets: secretsOf(form, authentication),
            authenticationMethod: form.client.authenticationMethod
          },
          useAnswer
        )
      )
    }
    // A server that does not know the client has looked at nothing else: neither a code nor a refresh token is used up.
    const postAgain = Effect.fnUntraced(function* (refusal: RequestRefused, used: OAuthConfig) {
      if (refusal.error !== "invalid_client" || !hasConfiguredSecret(given.client)) return yield* refusal
      const read = yield* secrets.reread(given.request, used)
      if (read === undefined) return yield* refusal
      if (read.config === used) return yield* withPlaces(refusal, read.places)
      yield* Effect.logInfo(
        `${given.endpoint.name} does not accept the client's secret. It has changed in ${read.places.join(", ")}, and the new one is used`
      )
      return yield* postWith(read.config)
    })
    return Effect.suspend(() => {
      const used = secrets.of(config)
      return Effect.catchTag(postWith(used), "RequestRefused", (refusal) => postAgain(refusal, used))
    })
  }

const withPlaces = (refusal: RequestRefused, places: ReadonlyArray<string>) =>
  new RequestRefused({
    ...refusal,
    advice: `The secret has not changed in ${places.join(", ")}: write there what the server knows, and check \`client_id\` and how the client authenticates`
  })

const makeSend =
  (http: OAuthHttp["Service"], guard: AddressGuard["Service"], timeout: Duration.Input): Send =>
  (message, useAnswer) =>
    connectionFor(http, guard, message).pipe(
      Effect.flatMap((connection) => exchange(connection, message, useAnswer)),
      Effect.catchTag("HttpClientError", (error) => Effect.fail(transportFailure(message, error))),
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () =>
          Effect.fail(
            new RequestTimeout({ endpoint: message.endpoint.name, seconds: Duration.toSeconds(timeout) })
          )
      }),
      inSpan("EndpointClient.send")
    )

/** A connection that leads nowhere but to where the endpoint may be. */
const connectionFor = Effect.fnUntraced(function* (
  http: OAuthHttp["Service"],
  guard: AddressGuard["Service"],
  { endpoint, request }: EndpointMessage
) {
  const { config, proxies } = request
  const connection = yield* http.connection(config, { proxies })
  const addresses = yield* guard.check(endpoint, request, connection.usesProxy)
  return addresses === undefined ? connection : yield* http.connection(config, { proxies, addresses })
})

const exchange = Effect.fnUntraced(function* <A>(
  connection: OAuthConnection,
  { anyStatus, authenticationMethod, endpoint, message, request, secrets, ...options }: EndpointMessage,
  useAnswer: UseAnswer<A>
) {
  const { correlationId } = request
  const headers = {
    "user-agent": request.userAgent ?? userAgent,
    ...message.headers,
    accept: anyStatus === true ? "text/html, */*;q=0.8" : "application/json",
    "accept-encoding": "identity",
    "x-correlation-id": correlationId,
    "x-request-id": correlationId
  }
  const askOnce = (asked: HttpClientRequest.HttpClientRequest) =>
    ask(connection, asked, options.longestBody ?? longestAnswer)
  const answer = yield* followRedirects(
    askOnce,
    HttpClientRequest.setHeaders(message, headers),
    options.followsRedirects === true ? maxRedirects : 0
  )
  const { useMtls } = request.config
  const refuse = describeRefusal(endpoint.name, makeSecretMask(secrets), { useMtls, authenticationMethod })
  const use = useAnswer(answer, refuse, connection.certificateThumbprint)
  return yield* anyStatus === true ? use : judge(endpoint, answer, refuse, use)
})

const maxRedirects = 3

/** Follows redirects that stay within the origin; any other one is the answer. */
const followRedirects = (
  askOnce: (message: HttpClientRequest.HttpClientRequest) => Effect.Effect<Answer, HttpClientError>,
  message: HttpClientRequest.HttpClientRequest,
  redirects: number
): Effect.Effect<Answer, HttpClientError> =>
  Effect.flatMap(askOnce(message), (answer) => {
    const { location } = answer.headers
    const next =
      redirects > 0 && [301, 302, 303, 307, 308].includes(answer.status) && location !== undefined
        ? URL.parse(location, message.url)
        : null
    return next === null || next.origin !== URL.parse(message.url)?.origin
      ? Effect.succeed(answer)
      : followRedirects(
          askOnce,
          HttpClientRequest.get(next.href).pipe(HttpClientRequest.setHeaders(message.headers)),
          redirects - 1
        )
  })

/** For the firewalls that refuse requests without one, where the request does not say who sends it. */
const userAgent = "secure-mcp-oauth-flows (+https://github.com/secure-mcp/secure-mcp-gateway)"

const formMessage = ({ endpoint, headers, parameters }: EndpointForm, auth: ClientAuthentication) =>
  HttpClientRequest.post(endpoint.url).pipe(
    HttpClientRequest.setHeaders(Record.map({ ...headers, ...auth.headers }, Redacted.value)),
    HttpClientRequest.bodyUrlParams(
      Record.filter({ ...parameters, ...auth.parameters }, (value) => value !== undefined)
    )
  )

/** Whatever was sent redacted, and the client secret, which Basic sends in disguise. */
const secretsOf = (form: EndpointForm, auth: ClientAuthentication): ReadonlyArray<Redacted.Redacted> =>
  [
    form.client.clientSecret,
    ...[form.parameters, form.headers ?? {}, auth.parameters, auth.headers].flatMap((sent) =>
      Object.values<string | Redacted.Redacted | undefined>(sent)
    )
  ].filter((value) => Redacted.isRedacted(value))

const judge = <A>(
  endpoint: Endpoint,
  answer: Answer,
  refuse: Refuse,
  use: ReturnType<UseAnswer<A>>
): Effect.Effect<A, OAuthErrorReason> => {
  const { status } = answer
  if (status >= 200 && status < 300) return use
  if (status === 429 || status >= 500) return Effect.flatMap(unavailable(endpoint, answer), Effect.fail)
  if (status >= 400) return Effect.fail(refuse.fromAnswer(answer))
  return Effect.fail(new RedirectRefused({ endpoint: endpoint.name, status }))
}

const unavailable = (endpoint: Endpoint, { headers, status }: Answer) =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const seconds = retryAfterSeconds(headers, now)
    return new EndpointUnavailable({
      endpoint: endpoint.name,
      status,
      ...(seconds === undefined ? {} : { retryAfterSeconds: seconds })
    })
  })

const aYear = Duration.days(365)

/** RFC 9110 §10.2.3, in seconds or as a date; what cannot be read counts as not said. */
const retryAfterSeconds = (headers: Headers.Headers, now: number): number | undefined => {
  const value = headers["retry-after"]
  if (value === undefined) return undefined
  const parsed = Headers.parseRetryAfter(value)
  if (Result.isFailure(parsed)) return undefined
  return Duration.toSeconds(Duration.min(Headers.retryAfterDelay(parsed.success, now), aYear))
}

const transportFailure = ({ endpoint, request }: EndpointMessage, error: HttpClientError): OAuthErrorReason =>
  Predicate.isTagged(error.reason, "InvalidUrlError")
    ? new Misconfigured({ problem: `${endpoint.name} has no valid URL` })
    : new ConnectionFailed({
        endpoint: endpoint.name,
        ...describeConnectionFailure(error, {
          https: error.request.url.startsWith("https:"),
          useMtls: request.config.useMtls
        })
      })
