import * as Effect from "effect/Effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/** The page of a program on this machine to which a browser returns (RFC 8252 §7.3). */
export const makeCallback = Effect.acquireRelease(
  Effect.promise(async () => {
    const arrived: Array<string> = []
    const waiting: Array<(path: string) => void> = []
    const server = createServer(({ url = "" }, response) => {
      response.end("You can close this page")
      const next = waiting.shift()
      if (next === undefined) arrived.push(url)
      else next(url)
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    const redirectUri = `http://127.0.0.1:${port}/callback`
    /** The next URL that a browser was sent to. */
    const next = async (): Promise<URL> => {
      const path = arrived.shift() ?? (await new Promise<string>((resolve) => waiting.push(resolve)))
      return new URL(path, redirectUri)
    }
    return { server, redirectUri, next }
  }),
  ({ server }) =>
    Effect.sync(() => {
      server.closeAllConnections()
      server.close()
    })
)
