import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as http from "node:http"
import * as https from "node:https"
import type { AddressInfo, Socket } from "node:net"

/** A request as it arrived, with its body read to the end. */
export interface ArrivedRequest {
  readonly method: string
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

/** Answers a request that has arrived. */
export type Answer = (response: http.ServerResponse, request: ArrivedRequest) => void

/** PEM texts, as `node:https` takes them. */
export interface ContractTls {
  readonly key: string
  readonly cert: string
  /** Asks each client for a certificate of this authority, and requires it. */
  readonly ca?: string | undefined
}

/** A server on a loopback port that answers each path as a point of the contract says. */
export interface ContractServer {
  readonly port: number
  /** What has arrived so far. */
  readonly arrived: ReadonlyArray<ArrivedRequest>
  /** How many requests have lost their connection before their answer was complete. */
  readonly abandoned: () => number
}

/** Closing the scope destroys the connections. */
export const startContractServer = (
  answer: Answer,
  tls: ContractTls | undefined
): Effect.Effect<ContractServer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<ContractServer & { readonly stop: Effect.Effect<void> }>((resume) => {
      const arrived: Array<ArrivedRequest> = []
      const sockets = new Set<Socket>()
      let abandoned = 0
      const server =
        tls === undefined
          ? http.createServer()
          : https.createServer({ ...tls, requestCert: tls.ca !== undefined, ca: tls.ca ?? [] })
      server.on("connection", (socket: Socket) => {
        sockets.add(socket)
        socket.once("close", () => sockets.delete(socket))
      })
      server.on("request", (incoming, response) => {
        const pieces: Array<Buffer> = []
        response.on("error", () => {})
        response.on("close", () => {
          if (!response.writableFinished) abandoned += 1
        })
        incoming.on("error", () => {})
        incoming.on("data", (piece: Buffer) => pieces.push(piece))
        incoming.on("end", () => {
          const { headers, method = "", url: path = "" } = incoming
          const request = { method, path, headers, body: Buffer.concat(pieces).toString("utf8") }
          arrived.push(request)
          answer(response, request)
        })
      })
      const stop = Effect.callback<void>((stopped) => {
        server.close(() => stopped(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(Effect.succeed({ port, arrived, abandoned: () => abandoned, stop }))
      })
    }),
    ({ stop }) => stop
  )
