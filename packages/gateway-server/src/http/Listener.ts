import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse
} from "node:http"
import { createServer as createTlsServer } from "node:https"
import type { Socket } from "node:net"
import { useServerCertificate } from "@secure-mcp/mtls"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { TlsSettings } from "../config/TlsSettings.ts"
import { answerAll } from "../listener/AnswerAll.ts"
import { ClientConnection, type ClientExchange } from "./ClientConnection.ts"
import type { AnswerOrNext } from "./DirectAnswers.ts"

/** The server of Node that listens for clients. */
export class Listener extends Context.Service<Listener, Server>()("@secure-mcp/gateway/Listener") {
  /**
   * With TLS if there are settings for it. Fails with `CertificateUnusable` if its certificate cannot be used; new contents
   * of its files are used for the connections after that.
   */
  static readonly layer = (tls: TlsSettings | undefined) =>
    Layer.effect(
      Listener,
      Effect.suspend(() => makeListener(tls))
    )
}

const makeListener = Effect.fnUntraced(function* (tls: TlsSettings | undefined) {
  if (tls === undefined) return prepare(createServer(options))
  const asksForCertificate = tls.clientCaPath !== undefined
  const server = createTlsServer({
    ...options,
    requestCert: asksForCertificate,
    rejectUnauthorized: asksForCertificate
  })
  yield* useServerCertificate(tls, (secureContext) =>
    Effect.sync(() => server.setSecureContext(secureContext))
  )
  answerPlainHttp(server)
  return prepare(server)
})

const options: ServerOptions = {
  // Milliseconds a client may take to send one request; answers, such as event streams, may take forever.
  requestTimeout: 60_000,
  // Ignore an offer to upgrade to HTTP/2 or WebSocket and serve the request itself (RFC 9110 §7.8).
  shouldUpgradeCallback: () => false,
  // The system asks a silent client each minute whether it is still there: it may have gone without a word.
  keepAlive: true,
  keepAliveInitialDelay: 60_000
}

const prepare = (server: Server): Server => {
  const { begin } = makeExchanges(server)
  return answerAll(server).on("checkContinue", (request, response) => void begin(request, response))
}

/** Watches over the exchanges with clients. */
const makeExchanges = (server: Server) => {
  const connections = new Map<Socket, ClientConnection>()
  const connectionOf = (socket: Socket): ClientConnection => {
    const known = connections.get(socket)
    if (known !== undefined) return known
    const connection = new ClientConnection(socket)
    connections.set(socket, connection)
    socket.once("close", () => connections.delete(socket))
    return connection
  }
  return {
    begin: (request: IncomingMessage, response: ServerResponse): ClientExchange => {
      const { socket } = request
      const connection = connectionOf(socket)
      const exchange = connection.begin(request, response)
      response.on("close", () => {
        connection.end(exchange)
        // Otherwise a client that keeps its connection open would still be served while the gateway stops.
        if (!server.listening && response.writableFinished) socket.destroySoon()
      })
      return exchange
    },
    endUnrouted: () => connections.forEach((connection) => connection.endUnrouted())
  }
}

/**
 * Lets requests be answered before the router sees them, which has to listen already. When the scope closes, accepts no
 * more connections, and ends the exchanges answered so that last longer than ten seconds.
 */
export const answerFirst = Effect.fnUntraced(function* (server: Server, answer: AnswerOrNext) {
  const routed = server.listeners("request")
  const exchanges = makeExchanges(server)
  server.removeAllListeners("request").on("request", (request, response) => {
    const exchange = exchanges.begin(request, response)
    answer(request, response, () => {
      exchange.leaveToRouter()
      for (const listener of routed) listener.call(server, request, response)
    })
  })
  yield* Effect.addFinalizer(() =>
    Effect.callback<void>((resume) => {
      server.close(() => resume(Effect.void))
    }).pipe(Effect.timeoutOption(grace), Effect.andThen(Effect.sync(exchanges.endUnrouted)))
  )
})

const grace = Duration.seconds(10)

/** The first byte of a TLS connection: the type of a handshake record (RFC 8446 §5.1). */
const handshake = 0x16

/** Milliseconds until a client has to say something. */
const longestSilence = 60_000

/** Tells a client that speaks plain HTTP what this port speaks. TLS itself would only hang up. */
const answerPlainHttp = (server: Server): void => {
  const secure = server.listeners("connection")
  const onConnection = (socket: Socket) => {
    const hangUp = () => void socket.destroy()
    socket.setTimeout(longestSilence, hangUp).on("error", hangUp)
    socket.once("readable", () => {
      const first: Buffer | null = socket.read()
      if (first === null) hangUp()
      else if (first[0] !== handshake) socket.resume().end(wrongProtocol)
      else {
        socket.setTimeout(0).off("timeout", hangUp).off("error", hangUp)
        socket.unshift(first)
        for (const listener of secure) listener.call(server, socket)
      }
    })
  }
  server.removeAllListeners("connection").on("connection", onConnection)
}

const explanation = "This port speaks HTTPS: the URL begins with https://\n"

const wrongProtocol = [
  "HTTP/1.1 400 Bad Request",
  "Content-Type: text/plain",
  `Content-Length: ${explanation.length}`,
  "Connection: close",
  "",
  explanation
].join("\r\n")
