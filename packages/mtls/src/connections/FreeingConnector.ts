import { freeMemory, isFreedWhenWritten } from "@secure-mcp/oauth-core/internal"
import type { Socket } from "node:net"
import type { buildConnector } from "undici"

/** Makes connections that free the memory of the pieces for which that was asked (`freeWhenWritten`), once they are written. */
export const freeingConnector =
  (connect: buildConnector.connector): buildConnector.connector =>
  (options, callback) =>
    connect(options, (...[error, socket]) =>
      error === null ? callback(null, freeing(socket)) : callback(error, null)
    )

type Written = (error?: Error | null) => void

/** `undici` has no callback for what it writes. */
const freeing = <S extends Socket>(socket: S): S => {
  const write: (data: string | Uint8Array, encoding?: BufferEncoding, onWritten?: Written) => boolean =
    socket.write.bind(socket)
  socket.write = (data: string | Uint8Array, encoding?: BufferEncoding | Written, onWritten?: Written) => {
    if (typeof encoding === "function") return write(data, undefined, encoding)
    return isFreedWhenWritten(data) && onWritten === undefined
      ? write(data, encoding, (error) => error ?? freeMemory(data))
      : write(data, encoding, onWritten)
  }
  return socket
}
