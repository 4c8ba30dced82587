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

/** `undici` has no callback for what it writes. */
const freeing = <S extends Socket>(socket: S): S => {
  const { write } = socket
  socket.write = (...args: ReadonlyArray<unknown>): boolean => {
    const [piece] = args
    if (args.length > 1 || !isFreedWhenWritten(piece)) return Reflect.apply(write, socket, args)
    return Reflect.apply(write, socket, [
      piece,
      (error: Error | null | undefined) => error ?? freeMemory(piece)
    ])
  }
  return socket
}
