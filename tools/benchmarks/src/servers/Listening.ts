import type { Server } from "node:http"

/** Listens on a free port of 127.0.0.1 and writes the URL as the one line on standard output. */
export const announce = (server: Server): void => {
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    process.stdout.write(`http://127.0.0.1:${port}\n`)
  })
}
