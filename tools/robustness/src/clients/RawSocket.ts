import { connect, type Socket } from "node:net"

/** Opens a connection to the host and port of a URL. */
export const open = (url: string): Promise<Socket> => {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => resolve(socket))
    socket.on("error", reject)
  })
}

/**
 * Sends bytes as they are, and gives all that comes back until the connection closes or `wait` milliseconds have passed
 * without a byte.
 */
export const exchangeRaw = async (url: string, bytes: string | Buffer, wait = 400): Promise<string> => {
  const socket = await open(url)
  return new Promise((resolve) => {
    let text = ""
    const done = () => {
      socket.destroy()
      resolve(text)
    }
    socket.setTimeout(wait, done)
    socket.once("close", done)
    socket.on("data", (piece: Buffer) => (text += piece.toString("latin1")))
    socket.write(bytes)
  })
}

/** The statuses of the answers in a text. */
export const statusesIn = (text: string): ReadonlyArray<number> =>
  [...text.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map(([, status]) => Number(status))
