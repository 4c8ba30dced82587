import {
  OAuthError,
  StoreUnavailable,
  UpstreamUnauthorized,
  type AccessTokenRequest,
  type OAuthToken
} from "@secure-mcp/oauth-core"
import { type AttemptOutcome, TokenInjector } from "@secure-mcp/transport-injection"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { OwnerChannel } from "./OwnerChannel.ts"

/** A token that the owner gave. */
interface Copy {
  readonly token: OAuthToken
  /** When the owner is asked again, in the background, and from when the copy is not used; monotonic, in milliseconds. */
  readonly askAgainAt: number
  readonly endsAt: number
}

/** A copy is not used longer without an answer of the owner: so a token that was removed leaves all processes alike. */
const longestUse = Duration.toMillis(Duration.seconds(4))

/**
 * The tokens of the owner, in a worker: copies that are used for seconds, and renewed while they are in use. What is to
 * be done after a refusal is the owner's business, which knows of the refusals of all: `use` and `useAfter` fail then with
 * `UpstreamUnauthorized`, and the request is handed to the owner.
 */
export const workerTokens: Layer.Layer<TokenInjector, never, OwnerChannel> = Layer.effect(
  TokenInjector,
  Effect.suspend(() => make)
)

const make = Effect.gen(function* () {
  const owner = yield* OwnerChannel
  const clock = yield* Clock.Clock
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  // The request of a server and a person is the same object each time.
  const copies = new WeakMap<AccessTokenRequest, Copy>()
  const asked = new Map<AccessTokenRequest, Deferred.Deferred<OAuthToken, OAuthError>>()

  const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000

  const copyOf = (request: AccessTokenRequest): Copy | undefined => {
    const copy = copies.get(request)
    return copy !== undefined && now() < copy.endsAt ? copy : undefined
  }

  const put = (request: AccessTokenRequest, token: OAuthToken, askedAt: number) => {
    const left =
      token.expiresAt === undefined ? longestUse : token.expiresAt - clock.currentTimeMillisUnsafe()
    const use = token.reusable ? Math.min(longestUse, left) : 0
    copies.set(request, { token, askAgainAt: askedAt + use / 2, endsAt: askedAt + use })
  }

  const askOwner = Effect.fnUntraced(function* (request: AccessTokenRequest) {
    const { serverName, subject } = request
    const askedAt = now()
    const answer = yield* owner
      .ask({ _tag: "Token", serverName, ...(subject === undefined ? {} : { subject }) })
      .pipe(Effect.catch(({ problem }) => unavailable(request, problem)))
    if (answer._tag === "NoToken") return yield* answer.error
    if (answer._tag !== "Token") return yield* unavailable(request, "The tokens cannot be asked for")
    put(request, answer.token, askedAt)
    return answer.token
  })

  /** One question for all who need the answer. */
  const ask = (request: AccessTokenRequest): Deferred.Deferred<OAuthToken, OAuthError> => {
    const known = asked.get(request)
    if (known !== undefined) return known
    const answer = Deferred.makeUnsafe<OAuthToken, OAuthError>()
    asked.set(request, answer)
    const done = askOwner(request).pipe(
      Effect.onExit(() => Effect.sync(() => asked.delete(request))),
      Effect.tapError(() => Effect.sync(() => copies.delete(request)))
    )
    runFork(Deferred.into(done, answer))
    return answer
  }

  /** The owner counts a hit with each question, this process counts all others. */
  const peek = (request: AccessTokenRequest): OAuthToken | undefined => {
    const copy = copyOf(request)
    if (copy === undefined) return undefined
    if (now() >= copy.askAgainAt && !asked.has(request)) ask(request)
    else owner.countHit(request.serverName)
    return copy.token
  }

  const tokenOf = (request: AccessTokenRequest) =>
    Effect.suspend(() => {
      const token = peek(request)
      return token === undefined ? Deferred.await(ask(request)) : Effect.succeed(token)
    })

  const finish = <A>(request: AccessTokenRequest, outcome: AttemptOutcome<A>) => {
    if (outcome._tag === "Accepted") return Effect.succeed(outcome.value)
    copies.delete(request)
    return handOver(request, outcome.status)
  }

  return TokenInjector.of({
    peek,
    settle: () => undefined,
    use: (request, attempt) =>
      tokenOf(request).pipe(
        Effect.flatMap(({ accessToken }) => attempt(accessToken)),
        Effect.flatMap((outcome) => finish(request, outcome))
      ),
    useAfter: (request, { outcome }) => Effect.flatMap(outcome, (settled) => finish(request, settled)),
    // Nothing that a worker does itself needs these.
    replace: (request) => handOver(request, 401),
    tokenFor: () => Effect.undefined
  })
})

const handOver = ({ serverName }: AccessTokenRequest, status: number) =>
  OAuthError.fail({
    operation: "use the access token",
    serverName,
    reason: new UpstreamUnauthorized({ status })
  })

const unavailable = ({ serverName }: AccessTokenRequest, problem: string) =>
  OAuthError.fail({ operation: "get an access token", serverName, reason: new StoreUnavailable({ problem }) })
