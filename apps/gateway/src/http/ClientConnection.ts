import type { IncomingMessage, ServerResponse } from "node:http"

/** Milliseconds until a client that has closed its sending side is first asked whether it is still there. */
const firstProbe = 500

/**
 * Notices that a client leaves while it waits, so that the request to the MCP server ends as well.
 *
 * A client may close its sending side with the request and still read the answer. One that has left closes it, too, and the
 * difference only shows when something is sent. So before the answer it is an interim response (RFC 9110 §15.2), which a
 * client that has left answers with a reset; during an answer it counts as leaving.
 */
export const watchClient = (request: IncomingMessage, response: ServerResponse): void => {
  const { socket } = request
  let timer: NodeJS.Timeout | undefined
  const probe = (delay: number) => {
    timer = setTimeout(() => {
      if (response.headersSent) return
      response.writeProcessing()
      probe(delay * 2)
    }, delay)
  }
  const onEnd = () => {
    if (response.writableEnded) return
    if (response.headersSent) response.destroy()
    // HTTP/1.0 knows no interim responses.
    else if (request.httpVersion !== "1.0") probe(firstProbe)
  }
  socket.once("end", onEnd)
  response.once("close", () => {
    socket.off("end", onEnd)
    clearTimeout(timer)
  })
}
