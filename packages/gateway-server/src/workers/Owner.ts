import { randomUUID } from "node:crypto"
import { createServer } from "node:net"
import { OAuthEvents, OAuthService } from "@secure-mcp/oauth-core"
import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import type { LoadedConfig } from "../config/ConfigFile.ts"
import type { GatewayConfig } from "../config/GatewayConfig.ts"
import { gatewayServer } from "../GatewayServer.ts"
import { gatewayServices } from "../GatewayServices.ts"
import { SessionOwners, type SessionOwnersService } from "../sessions/SessionOwners.ts"
import { makeSharedSessionOwners } from "../sessions/SharedSessionOwners.ts"
import { PersonActivity } from "../status/PersonActivity.ts"
import { accessTokenRequest, limitsOf } from "../upstream/Servers.ts"
import { listen } from "../listener/Listening.ts"
import type { Answer, Question } from "./OwnerMessages.ts"
import { startWorkers, WorkersFailed } from "./WorkerProcesses.ts"

/**
 * Runs a gateway with several workers, until the scope closes: this process owns the tokens, logins, child processes and
 * connections of HTTP+SSE, and the workers have the port. When the scope closes the workers end first, because they need it.
 *
 * @returns where the workers listen
 */
export const serveWithWorkers = Effect.fnUntraced(function* (config: LoadedConfig, workers: number) {
  if (config.gateway.callers?.clientCertificates === true)
    return yield* new WorkersFailed({
      problem:
        "`gateway.callers.client_certificates` needs one process: TLS ends at the workers, and the certificates of clients with it. Leave out --workers"
    })
  const address = yield* freeAddress(config.gateway)
  const ownerSocket = yield* makeSocketPath
  const collectHits = yield* Ref.make(Effect.void)
  const context = yield* Layer.build(
    ownerServer({
      config,
      ownerSocket,
      collectHits: Effect.flatten(Ref.get(collectHits)),
      processes: workers + 1
    })
  )
  const sessions = Context.get(context, SessionOwners)
  const { countHit } = Context.get(context, OAuthEvents)
  const running = yield* startWorkers({
    workers,
    start: {
      _tag: "Start",
      document: Redacted.value(config.document),
      host: config.gateway.host,
      port: address.port,
      processes: workers + 1,
      ownerSocket,
      sessionKey: Buffer.from(Redacted.value(sessions.digestKey)).toString("base64")
    },
    answer: makeAnswers(
      config,
      Context.get(context, OAuthService),
      sessions,
      Context.get(context, PersonActivity)
    ),
    countHits: (serverName, hits) => countHit?.(serverName, hits)
  })
  yield* Ref.set(collectHits, running.collectHits)
  return address
})

/** The gateway as one process has it, on a socket that only the workers reach. TLS ends at the workers. */
const ownerServer = ({
  collectHits,
  config,
  ownerSocket,
  processes
}: {
  readonly config: GatewayConfig
  readonly ownerSocket: string
  readonly collectHits: Effect.Effect<void>
  readonly processes: number
}) => {
  const { bufferedBytes, tls: _, ...gateway } = config.gateway
  const own: GatewayConfig = {
    ...config,
    gateway: { ...gateway, bufferedBytes: Math.floor(bufferedBytes / processes) }
  }
  return gatewayServer(own, { path: ownerSocket }).pipe(
    Layer.provide(metricsOfAll(collectHits)),
    Layer.provideMerge(gatewayServices(own)),
    Layer.provideMerge(config.store.type === "redis" ? Layer.empty : sharedSessions(config))
  )
}

/** The metrics of the owner, after it has collected what the workers have counted. */
const metricsOfAll = (collectHits: Effect.Effect<void>) =>
  Layer.effect(
    OAuthMetrics,
    Effect.map(OAuthMetrics, ({ prometheus, snapshot }) => ({
      prometheus: Effect.andThen(collectHits, prometheus),
      snapshot: Effect.andThen(collectHits, snapshot)
    }))
  )

const sharedSessions = (config: GatewayConfig) =>
  Layer.sync(SessionOwners, () =>
    makeSharedSessionOwners(
      config.servers.reduce((sum, entry) => sum + limitsOf(entry, config).rememberedSessions, 0)
    )
  )

/** Answers the questions of workers. Nothing of it fails: a problem is an answer. */
export const makeAnswers = (
  config: GatewayConfig,
  oauth: OAuthService["Service"],
  sessions: SessionOwnersService,
  activity: PersonActivity["Service"]
): ((question: Question) => Effect.Effect<Answer>) => {
  const entries = new Map(config.servers.map((entry) => [entry.serverName, entry]))

  const answerToken = ({ serverName, subject }: Extract<Question, { _tag: "Token" }>) => {
    const entry = entries.get(serverName)
    const request = entry && accessTokenRequest(entry, config, subject)
    // A worker asks every two seconds while the token is in use, and only then.
    if (request !== undefined) activity.use(serverName, { subject })
    return request === undefined
      ? Effect.succeed(failed(`"${serverName}" has no tokens`))
      : Effect.match(oauth.getAccessToken(request), {
          onSuccess: ({ token }): Answer => ({ _tag: "Token", token }),
          onFailure: (error): Answer => ({ _tag: "NoToken", error })
        })
  }

  const answerInTurn = (question: Question) => {
    switch (question._tag) {
      case "Token":
        return answerToken(question)
      case "FindSession":
        return Effect.map(sessions.find(question.session), (owner): Answer => ({
          _tag: "SessionFound",
          ...(owner === undefined ? {} : { owner })
        }))
      case "BindSession":
        return Effect.map(sessions.bind(question.session, question.owner), (isOwn): Answer => ({
          _tag: "SessionBound",
          isOwn
        }))
      case "RemoveSession":
        return Effect.as(sessions.remove(question.session), { _tag: "SessionRemoved" } as const)
    }
  }

  return (question) =>
    answerInTurn(question).pipe(
      Effect.catch(({ problem }) => Effect.succeed(failed(problem))),
      Effect.catchDefect((defect) =>
        Effect.as(
          Effect.logError("A question of a worker failed by a bug", Cause.die(defect)),
          failed("A bug of the gateway")
        )
      )
    )
}

const failed = (problem: string): Answer => ({ _tag: "Failed", problem })

/** All workers listen on the same port, so a free one is found here. Fails with what stands in the way of listening. */
const freeAddress = (address: { readonly host: string; readonly port: number }) => {
  const server = createServer()
  return Effect.tap(listen(server, address), () =>
    Effect.callback<void>((resume) => {
      server.close(() => resume(Effect.void))
    })
  )
}

/** In a folder of this user only. On Windows a pipe, whose name nobody can guess. */
const makeSocketPath = Effect.gen(function* () {
  if (process.platform === "win32") return `\\\\.\\pipe\\secure-mcp-gateway-${randomUUID()}`
  const files = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  const directory = yield* files.makeTempDirectoryScoped({ prefix: "secure-mcp-gateway-" })
  return paths.join(directory, "owner.sock")
}).pipe(
  Effect.mapError(
    ({ message }) =>
      new WorkersFailed({ problem: `the folder for temporary files cannot be used. Set TMPDIR. ${message}` })
  )
)
