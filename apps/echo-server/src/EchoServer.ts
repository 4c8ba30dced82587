import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import * as Https from "node:https"
import type { AddressInfo } from "node:net"
import { bearerToken } from "./BearerToken.ts"
import { makeMcpServer } from "./EchoTools.ts"
import { mcpEndpoint } from "./McpEndpoint.ts"
import { nodeHandler } from "./NodeHandler.ts"
import { makeRequestRecorder, type ReceivedRequest } from "./ReceivedRequest.ts"

/** Where the server listens, and which tokens it accepts. */
export interface EchoServerOptions {
  /** Port to listen on; 0, the default, picks one. */
  readonly port?: number
  /** Host to listen on, 127.0.0.1 by default. On loopback, `Host` and `Origin` must be local too. */
  readonly host?: string
  /** Serves https. */
  readonly tls?: EchoServerTls
  /** Decides about the Authorization header of each request; a refusal is a 401. Default: all are accepted. */
  readonly authorize?: (authorization: Redacted.Redacted<string> | undefined) => Effect.Effect<boolean>
  /** Address of the protected resource metadata, named in the challenge (RFC 9728 section 5.1). */
  readonly resourceMetadata?: string
}

/** The certificate of the server, and what it asks of its clients. */
export interface EchoServerTls {
  /** PEM. */
  readonly key: Redacted.Redacted<string>
  /** PEM, with intermediates if there are any. */
  readonly cert: string
  /** PEM of the authorities that client certificates are checked against. */
  readonly ca?: string
  /** Refuses connections without a certificate from `ca`. */
  readonly requireClientCertificate?: boolean
}

/** The server could not start: the port is taken, or the TLS material is not usable. */
export class EchoServerStartError extends Schema.TaggedError<EchoServerStartError>()("EchoServerStartError", {
  reason: Schema.Literals(["Listen", "Tls"]),
  cause: Schema.Defect()
}) {
  override get message() {
    return `The echo server cannot start (${this.reason}): ${String(this.cause)}`
  }
}

/**
 * The echo server on Streamable HTTP, running.
 */
export class EchoServer extends Context.Service<
  EchoServer,
  {
    /** The MCP endpoint. */
    readonly url: string
    /** The latest 1,000 requests, oldest first, refused ones included. */
    readonly requests: Effect.Effect<ReadonlyArray<ReceivedRequest>>
    /** How often each JSON-RPC method was requested; requests without one count as GET, DELETE or POST. */
    readonly requestCounts: Effect.Effect<Readonly<Record<string, number>>>
  }
>()("@secure-mcp/echo-server/EchoServer") {
  /** Listens until the scope closes, which ends sessions and cuts open connections. */
  static readonly make = (
    options: EchoServerOptions = {}
  ): Effect.Effect<EchoServer["Service"], EchoServerStartError, Scope.Scope> => make(options)

  static readonly layerHttp = (options: EchoServerOptions = {}) => Layer.effect(EchoServer, make(options))
}

const make = Effect.fnUntraced(function* (options: EchoServerOptions) {
  const host = options.host ?? "127.0.0.1"
  const recorder = makeRequestRecorder()
  const handle = yield* makeHandler(options, recorder.record)
  const server = yield* listen(options, host)
  server.on("request", nodeHandler(handle, host))
  const { port } = server.address() as AddressInfo
  return EchoServer.of({
    url: `${options.tls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}/mcp`,
    requests: recorder.requests,
    requestCounts: recorder.requestCounts
  })
})

const makeHandler = Effect.fnUntraced(function* (
  options: EchoServerOptions,
  record: (request: ReceivedRequest) => void
) {
  const runPromise = Effect.runPromiseWith(yield* Effect.context())
  const endpoint = yield* Effect.acquireRelease(
    Effect.sync(() =>
      mcpEndpoint(() =>
        makeMcpServer(
          (context) => bearerToken(context.http?.req?.headers.get("authorization") ?? null),
          runPromise
        )
      )
    ),
    (endpoint) => Effect.promise(() => endpoint.close())
  )

  const answer = async (request: Request, body: unknown) => {
    const header = request.headers.get("authorization")
    const authorization = header === null ? undefined : Redacted.make(header)
    const authorized = options.authorize === undefined || (await runPromise(options.authorize(authorization)))
    return authorized
      ? endpoint.handle(request, body)
      : challenge(authorization !== undefined, options.resourceMetadata)
  }

  return async (request: Request): Promise<Response> => {
    const body = request.method === "POST" ? await readJson(request) : undefined
    const response = await answer(request, body)
    record(describeRequest(request, body, response.status))
    return response
  }
})

// Passed on to the SDK, which answers a body that is not JSON as each revision requires.
const readJson = (request: Request): Promise<unknown> =>
  request
    .clone()
    .json()
    .catch(() => undefined)

/** RFC 6750 section 3: the challenge to a request without credentials has no error code. */
const challenge = (hadCredentials: boolean, resourceMetadata: string | undefined) => {
  const parameters = [
    ...(hadCredentials ? [`error="invalid_token"`, `error_description="The access token was refused"`] : []),
    ...(resourceMetadata === undefined ? [] : [`resource_metadata="${resourceMetadata}"`])
  ]
  return new Response(null, {
    status: 401,
    headers: { "www-authenticate": ["Bearer", parameters.join(", ")].join(" ").trim() }
  })
}

const describeRequest = (request: Request, body: unknown, status: number): ReceivedRequest => {
  const authorization = request.headers.get("authorization")
  return {
    httpMethod: request.method,
    rpcMethod: isMessage(body) ? body.method : undefined,
    authorization: authorization === null ? undefined : Redacted.make(authorization),
    sessionId: request.headers.get("mcp-session-id") ?? undefined,
    protocolVersion: request.headers.get("mcp-protocol-version") ?? undefined,
    status
  }
}

const isMessage = Schema.is(Schema.Struct({ method: Schema.String }))

const listen = (options: EchoServerOptions, host: string) =>
  Effect.acquireRelease(
    Effect.flatMap(createServer(options.tls), (server) => listening(server, options.port ?? 0, host)),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

// Unusable PEM makes Node throw.
const createServer = (tls: EchoServerTls | undefined) =>
  Effect.try({
    try: (): Http.Server => (tls === undefined ? Http.createServer() : Https.createServer(tlsOptions(tls))),
    catch: (cause) => new EchoServerStartError({ reason: "Tls", cause })
  })

const tlsOptions = (tls: EchoServerTls): Https.ServerOptions => ({
  key: Redacted.value(tls.key),
  cert: tls.cert,
  ...(tls.ca === undefined ? {} : { ca: tls.ca }),
  requestCert: tls.requireClientCertificate === true,
  rejectUnauthorized: tls.requireClientCertificate === true
})

const listening = (server: Http.Server, port: number, host: string) =>
  Effect.callback<Http.Server, EchoServerStartError>((resume) => {
    const refuse = (cause: Error) =>
      resume(Effect.fail(new EchoServerStartError({ reason: "Listen", cause })))
    server.once("error", refuse)
    server.listen(port, host, () => {
      server.off("error", refuse)
      resume(Effect.succeed(server))
    })
  })
