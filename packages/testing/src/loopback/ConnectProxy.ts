import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as http from "node:http"
import * as https from "node:https"
import * as net from "node:net"
import type { Duplex } from "node:stream"
import { listenOnLoopback } from "./LoopbackListener.ts"

/** What a proxy knows, and whom it refuses. */
export interface ConnectProxyOptions {
  /** The port of 127.0.0.1 that a host leads to. The names need not exist: only the proxy looks them up. */
  readonly hosts: Readonly<Record<string, number>>
  /** Serves https with these PEM texts. */
  readonly tls?: { readonly key: string; readonly cert: string }
  /** `user:password`: without it the answer is 407. */
  readonly credentials?: string
  /** How every CONNECT ends instead: with this status, with the end of the connection, or never. */
  readonly refusal?: number | "closed" | "hangs"
}

/** An HTTP proxy on a loopback port that knows CONNECT and nothing else. */
export interface ConnectProxy {
  readonly port: number
  /** Without user name and password. */
  readonly url: string
  /** The `host:port` of each CONNECT so far, also of those refused. */
  readonly asked: Effect.Effect<ReadonlyArray<string>>
}

/** Closing the scope closes the tunnels, too. */
export const startConnectProxy = Effect.fnUntraced(function* (
  options: ConnectProxyOptions
): Effect.fn.Return<ConnectProxy, never, Scope.Scope> {
  const asked: Array<string> = []
  const server = options.tls === undefined ? http.createServer() : https.createServer(options.tls)
  server.on("connect", (request, client) => {
    asked.push(request.url ?? "")
    client.on("error", () => {})
    if (options.refusal === "hangs") return
    if (options.refusal === "closed") return client.destroy()
    const status = options.refusal ?? statusOf(request, options)
    if (status !== 200) return client.end(`HTTP/1.1 ${status} Refused\r\ncontent-length: 0\r\n\r\n`)
    return openTunnel(client, portOf(request, options))
  })
  const { port } = yield* listenOnLoopback(server)
  return {
    port,
    url: `${options.tls === undefined ? "http" : "https"}://localhost:${port}`,
    asked: Effect.sync(() => [...asked])
  }
})

const statusOf = (request: http.IncomingMessage, options: ConnectProxyOptions): number => {
  const expected = options.credentials && `Basic ${Buffer.from(options.credentials).toString("base64")}`
  if (expected !== undefined && request.headers["proxy-authorization"] !== expected) return 407
  return portOf(request, options) === undefined ? 502 : 200
}

const portOf = ({ url = "" }: http.IncomingMessage, { hosts }: ConnectProxyOptions): number | undefined =>
  hosts[url.replace(/:\d+$/, "")]

const openTunnel = (client: Duplex, port: number | undefined) => {
  const upstream = net.connect(port ?? 0, "127.0.0.1", () => {
    client.write("HTTP/1.1 200 Connection established\r\n\r\n")
    upstream.pipe(client)
    client.pipe(upstream)
  })
  upstream.on("error", () => client.destroy())
  client.on("close", () => upstream.destroy())
}
