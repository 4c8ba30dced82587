import type { IncomingMessage, Server } from "node:http"
import type { Duplex } from "node:stream"

/** Makes a server of Node answer two kinds of clients on which it would hang up without a word. */
export const answerAll = (server: Server): Server =>
  // A client may close its sending side as soon as it has sent its request.
  Object.assign(server, { httpAllowHalfOpen: true }).on("connect", refuseTunnel)

/** The server no longer knows the connection, so a client that keeps it open would keep the server from closing. */
const refuseTunnel = (_request: IncomingMessage, socket: Duplex): void => {
  const hangUp = () => void socket.destroy()
  socket.on("error", hangUp).resume().end(noTunnel, hangUp)
}

/** This is no proxy (RFC 9110 §9.3.6). */
const noTunnel = ["HTTP/1.1 501 Not Implemented", "content-length: 0", "connection: close", "\r\n"].join(
  "\r\n"
)
