import * as Effect from "effect/Effect"
import type { RequestListener } from "node:http"
import { connect } from "node:net"
import { buffer, text } from "node:stream/consumers"
import { serveRaw } from "../RawHttp.ts"
import { startGateway } from "../RunningGateway.ts"

/** The path of the server that `startOnWire` starts. */
export const path = "/servers/raw/mcp"

/** A gateway in front of a server, for requests that are written letter by letter. */
export const startOnWire = Effect.fnUntraced(function* (
  listener: RequestListener = echo,
  settings: object = {}
) {
  const reached: Array<string> = []
  const upstream = yield* serveRaw((request, response) => {
    reached.push(`${request.method} ${request.url}`)
    listener(request, response)
  })
  const gateway = yield* startGateway({
    servers: [{ server_name: "raw", config: { url: upstream.url } }],
    gateway: settings
  })
  const host = new URL(gateway.url).host
  /** The text of a request; `HOST` stands for the gateway's own. */
  const wire = (start: string, headers: ReadonlyArray<string>, body = "") =>
    [start, ...headers, "", body].join("\r\n").replaceAll("HOST", host)
  return {
    gateway,
    reached,
    wire,
    /** The answer to a request that is the last one of its connection. */
    ask: (start: string, headers: ReadonlyArray<string> = [], body = "") =>
      converse(gateway.url, wire(start, ["Host: HOST", "Connection: close", ...headers], body)),
    /** The answer to a request with these headers only. */
    askExactly: (start: string, headers: ReadonlyArray<string> = [], body = "") =>
      converse(gateway.url, wire(start, headers, body))
  }
})

/** Answers with what reached the server. */
const echo: RequestListener = async (request, response) => {
  const body = await text(request)
  const { headers, method, rawTrailers, url } = request
  response.end(JSON.stringify({ method, url, headers, rawTrailers, body }))
}

/** A server that writes its answer letter by letter, as Node's own would not. */
export const answerWith =
  (...lines: ReadonlyArray<string>): RequestListener =>
  ({ socket }) =>
    void socket.end(lines.join("\r\n"))

/** A connection to the gateway, whose two sides are closed one by one. */
export const connectTo = (url: string) => {
  const { hostname, port } = new URL(url)
  return connect({ host: hostname, port: Number(port), allowHalfOpen: true })
}

/**
 * Writes a text to a connection of its own, and reads until the gateway closes it.
 *
 * @param options.halfClosed whether the sending side is closed after the text
 */
export const converse = (
  url: string,
  request: string,
  { halfClosed = false }: { readonly halfClosed?: boolean } = {}
): Effect.Effect<string> =>
  Effect.promise(async () => {
    const socket = connectTo(url)
    if (halfClosed) socket.end(request, "latin1")
    else socket.write(request, "latin1")
    const answer = await buffer(socket)
    socket.destroy()
    return answer.toString("latin1").replace(interim, "")
  })

/** On a busy machine the gateway may ask whether the client is still there, before it answers. */
const interim = /^(?:HTTP\/1\.1 102 [^\r]*\r\n\r\n)+/

export const bodyOf = (answer: string): string => answer.slice(answer.indexOf("\r\n\r\n") + 4)

export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])

/** What reached the server, read from its answer. */
export const echoed = (answer: string): Record<string, unknown> & { headers: Record<string, string> } =>
  JSON.parse(bodyOf(answer))
