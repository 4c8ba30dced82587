import type { IncomingMessage, ServerResponse } from "node:http"

/** Milliseconds after its request within which a client that closes its sending side says that this was its last one. */
const withRequest = 100

/** Milliseconds until such a client is first asked whether it is still there. */
const patience = 1000

/** Milliseconds to the second question, whose failure tells of the reset; twice as many to each one after it. */
const firstInterval = 50

/**
 * Notices that a client leaves while it waits, so that the request to the MCP server ends as well.
 *
 * A client may close its sending side with the request and still read the answer. One that has left closes it, too, and the
 * difference only shows when something is sent. So before the answer it is an interim response (RFC 9110 §15.2), which a
 * client that has left answers with a reset; during an answer it counts as leaving.
 *
 * The times are of the system's clock, as those of Node's own limits for connections are.
 */
export const watchClient = (request: IncomingMessage, response: ServerResponse): void => {
  const { socket } = request
  let receivedAt = performance.now()
  let timer: NodeJS.Timeout | undefined
  const ask = (interval: number) => {
    if (response.headersSent) return
    response.writeProcessing()
    timer = setTimeout(ask, interval, interval * 2)
  }
  const onEnd = () => {
    if (response.writableEnded) return
    if (response.headersSent) response.destroy()
    // HTTP/1.0 knows no interim responses.
    else if (request.httpVersion === "1.0") return
    else if (performance.now() - receivedAt > withRequest) ask(firstInterval)
    else timer = setTimeout(ask, patience, firstInterval)
  }
  request.once("end", () => (receivedAt = performance.now()))
  socket.once("end", onEnd)
  response.once("close", () => {
    socket.off("end", onEnd)
    clearTimeout(timer)
  })
}
