import {
  Agent,
  type ClientRequest,
  type IncomingMessage,
  request as httpRequest,
  type ServerResponse
} from "node:http"
import { pipeline, Readable } from "node:stream"
import { continueClient, outgoingBody, type RequestBody } from "../upstream/RequestBody.ts"

/** Gives a request to the owner as it came, and the owner's answer to the client. */
export type OwnerForward = (
  request: IncomingMessage,
  response: ServerResponse,
  /** What was read of its body; undefined if nothing was. */
  body?: RequestBody
) => void

/** @param socketPath where the owner listens */
export const makeOwnerForward = (socketPath: string): OwnerForward => {
  // The owner says in `Keep-Alive` how long it leaves an idle connection open, and the agent closes it a second before: so
  // none closes while a request is on its way.
  const agent = new Agent({ keepAlive: true, timeout: idleMillis })
  return (request, response, body) => {
    const forwarded = httpRequest({
      socketPath,
      agent,
      method: request.method,
      path: request.url,
      headers: [...forwardedHeaders(request)]
    })
    const fail = () => {
      if (response.headersSent || response.destroyed) return response.destroy()
      return response.writeHead(502, { "content-type": "text/plain" }).end("The gateway is stopping\n")
    }
    forwarded.once("error", fail)
    forwarded.once("response", (answer) => {
      // The owner may answer without reading the whole request.
      forwarded.off("error", fail).on("error", () => undefined)
      writeAnswer(answer, response)
    })
    // No longer than the exchange: an event stream is silent for as long as it likes.
    forwarded.setTimeout(0)
    response.once("close", () => {
      if (!response.writableFinished) forwarded.destroy()
    })
    sendBody(request, response, body, forwarded)
  }
}

/** How long a connection without a request is kept. */
const idleMillis = 5000

const sendBody = (
  request: IncomingMessage,
  response: ServerResponse,
  body: RequestBody | undefined,
  forwarded: ClientRequest
): void => {
  if (body === undefined) continueClient(request, response)
  const known = body === undefined ? request : outgoingBody(body)
  if (known === null) forwarded.end()
  else if (known instanceof Readable) known.on("error", () => forwarded.destroy()).pipe(forwarded)
  else forwarded.end(known)
}

const writeAnswer = (answer: IncomingMessage, response: ServerResponse): void => {
  response.sendDate = false
  response.writeHead(answer.statusCode ?? 502, [
    ...endToEnd(answer.rawHeaders, ofAnswer),
    ...(answer.headers.connection === "close" ? ["connection", "close"] : [])
  ])
  response.flushHeaders()
  pipeline(answer, response, () => undefined)
}

/**
 * The headers of a request as they came, double ones too, because the owner checks them. A request of HTTP/1.0 needs no
 * host; the owner's listener wants one.
 */
function* forwardedHeaders({ headers, rawHeaders }: IncomingMessage): Generator<string> {
  yield* endToEnd(rawHeaders, ofRequest)
  if (headers.host === undefined) yield* ["host", "localhost"]
}

function* endToEnd(rawHeaders: ReadonlyArray<string>, left: ReadonlySet<string>): Generator<string> {
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const [name = "", value = ""] = rawHeaders.slice(index, index + 2)
    if (!left.has(name.toLowerCase())) yield* [name, value]
  }
}

/** Headers of the connection between the two processes. */
const ofAnswer: ReadonlySet<string> = new Set(["connection", "keep-alive", "transfer-encoding"])

/** The transfer coding stays: the owner refuses one that it does not know. */
const ofRequest: ReadonlySet<string> = new Set(["connection", "keep-alive", "upgrade", "expect"])
