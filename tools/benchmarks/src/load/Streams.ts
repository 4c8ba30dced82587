import { connect, type Socket } from "node:net"

/** Open event streams, on bare sockets. */
export interface OpenStreams {
  /** Events that have come since it was asked last. */
  readonly takeCount: () => number
  readonly close: () => void
}

/** Opens so many streams, and waits until something of the answer has come on each. */
export const openStreams = async (
  address: string,
  count: number,
  headers: Readonly<Record<string, string>>
): Promise<OpenStreams> => {
  const url = new URL(address)
  const lines = Object.entries({ host: url.host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  const request = `GET ${url.pathname} HTTP/1.1\r\n${lines.join("")}\r\n`
  const counted = { events: 0 }
  const open = () =>
    new Promise<Socket>((resolve, reject) => {
      const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true })
      socket.once("error", reject)
      socket.once("data", (piece) => {
        const head = piece.toString("latin1")
        if (!head.startsWith("HTTP/1.1 200")) return reject(new Error(head.slice(0, 2000)))
        socket.on("data", (next) => {
          counted.events += next.includes("data:") ? 1 : 0
        })
        return resolve(socket)
      })
      socket.write(request)
    })
  const sockets: Array<Socket> = []
  // Not all at once: opening is not what is measured.
  while (sockets.length < count)
    sockets.push(...(await Promise.all(Array.from({ length: Math.min(50, count - sockets.length) }, open))))
  return {
    takeCount: () => {
      const { events } = counted
      counted.events = 0
      return events
    },
    close: () => {
      for (const socket of sockets) socket.destroy()
    }
  }
}
