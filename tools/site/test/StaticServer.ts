import * as Effect from "effect/Effect"
import { once } from "node:events"
import { readFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { extname, join } from "node:path"

/** The files of a folder over HTTP, as any host of static sites offers them; closed with the scope. Answers with its address. */
export const serveFolder = (folder: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const server = createServer((request, response) => {
        const { pathname } = new URL(request.url ?? "/", "http://localhost")
        const path = decodeURIComponent(pathname.endsWith("/") ? `${pathname}index.html` : pathname)
        const type = mediaTypes[extname(path)] ?? "application/octet-stream"
        void readFile(join(folder, path)).then(
          (content) => response.writeHead(200, { "content-type": type }).end(content),
          // Browsers ask for an icon by themselves, and this site has none.
          () => response.writeHead(path === "/favicon.ico" ? 204 : 404).end("There is no such page")
        )
      }).listen(0, "127.0.0.1")
      await once(server, "listening")
      return server
    }),
    (server) =>
      Effect.promise(async () => {
        const closed = once(server, "close")
        server.close()
        server.closeAllConnections()
        await closed
      })
  ).pipe(Effect.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`))

const mediaTypes: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".json": "application/json"
}
