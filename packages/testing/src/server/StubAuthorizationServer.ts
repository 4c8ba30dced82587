import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import * as http from "node:http"
import * as https from "node:https"
import { Answer } from "./Answer.ts"
import { writeAnswer } from "./AnswerWriter.ts"
import { listenOnLoopback } from "../loopback/LoopbackListener.ts"
import { recordRequest } from "./RecordedRequest.ts"
import { makeRequestLog, type RequestLog } from "./RequestLog.ts"

/** How the stub listens. */
export interface StubAuthorizationServerOptions {
  /** Serves https with these PEM texts. */
  readonly tls?: {
    readonly key: string
    readonly cert: string
    /** Asks the client for a certificate and verifies it against this authority. */
    readonly ca?: string
    /** Refuses the connection when there is no certificate by `ca`. Default false: it is only asked for. */
    readonly requireClientCertificate?: boolean
    /** PEM of the certificates that `ca` revoked. */
    readonly crl?: string
  }
}

/**
 * An HTTP server on a loopback port that answers each request as the test says: first what was enqueued for
 * the path, in order, then what is always to be answered there, else 404.
 */
export interface StubAuthorizationServer extends RequestLog {
  /** Without a trailing slash. */
  readonly url: string
  readonly endpoint: (path: string) => string
  readonly enqueue: (path: string, ...answers: ReadonlyArray<Answer>) => Effect.Effect<void>
  readonly always: (path: string, answer: Answer) => Effect.Effect<void>
}

/** Closing the scope destroys every connection and drops every request in flight. */
const make = Effect.fnUntraced(function* (
  options: StubAuthorizationServerOptions = {}
): Effect.fn.Return<StubAuthorizationServer, never, Scope.Scope> {
  const { addAbort, addRequest, ...log } = yield* makeRequestLog
  const program = makeProgram()
  const server = createServer(options)
  const listener = yield* listenOnLoopback(server)
  // Acquired after the listener, so that closing interrupts the handlers before their sockets go: those are
  // not aborts by the peer.
  const run = yield* FiberSet.makeRuntime()

  const handle = Effect.fnUntraced(function* (incoming: http.IncomingMessage, response: http.ServerResponse) {
    const request = yield* recordRequest(incoming)
    yield* addRequest(request)
    const exchange = { request, response, resetConnection: listener.resetConnection(incoming.socket) }
    yield* writeAnswer(program.next(request.path), exchange).pipe(
      Effect.catchDefect((defect) => writeAnswer(defectAnswer(defect), exchange))
    )
  })
  server.on("request", (incoming, response) => {
    const aborted = untilHungUp(response).pipe(Effect.andThen(addAbort))
    run(Effect.raceFirst(aborted, handle(incoming, response)))
  })

  const url = `${options.tls === undefined ? "http" : "https"}://127.0.0.1:${listener.port}`
  return {
    ...log,
    url,
    endpoint: (path) => url + path,
    enqueue: (path, ...answers) => Effect.sync(() => program.enqueue(path, answers)),
    always: (path, answer) => Effect.sync(() => program.always(path, answer))
  }
})

export const StubAuthorizationServer = { make }

const makeProgram = () => {
  const queues = new Map<string, Array<Answer>>()
  const standing = new Map<string, Answer>()
  return {
    enqueue: (path: string, answers: ReadonlyArray<Answer>) => {
      queues.set(path, [...(queues.get(path) ?? []), ...answers])
    },
    always: (path: string, answer: Answer) => {
      standing.set(path, answer)
    },
    next: (path: string): Answer => queues.get(path)?.shift() ?? standing.get(path) ?? notProgrammed(path)
  }
}

const notProgrammed = (path: string) =>
  Answer.json(
    { error: "not_found", error_description: `No answer is programmed for ${path}` },
    { status: 404 }
  )

const defectAnswer = (defect: unknown) =>
  Answer.json({ error: "server_error", error_description: Cause.pretty(Cause.die(defect)) }, { status: 500 })

const createServer = ({ tls }: StubAuthorizationServerOptions): http.Server => {
  const server =
    tls === undefined
      ? http.createServer()
      : https.createServer({
          key: tls.key,
          cert: tls.cert,
          ...(tls.ca === undefined ? {} : { ca: tls.ca }),
          ...(tls.crl === undefined ? {} : { crl: tls.crl }),
          requestCert: tls.ca !== undefined,
          rejectUnauthorized: tls.requireClientCertificate ?? false
        })
  // Node's own limits would close connections without the test, and are timers.
  server.keepAliveTimeout = 0
  server.headersTimeout = 0
  server.requestTimeout = 0
  return server
}

const untilHungUp = (response: http.ServerResponse) =>
  Effect.callback<void>((resume) => {
    const onClose = () => {
      if (!response.writableFinished) resume(Effect.void)
    }
    response.once("close", onClose)
    return Effect.sync(() => response.off("close", onClose))
  })
