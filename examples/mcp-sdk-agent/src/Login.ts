import type { OAuthClient } from "@secure-mcp/oauth-client"
import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/**
 * Logs a person in: shows the page, and waits on a port of this machine until the browser comes back (RFC 8252 §7.3).
 *
 * @param show opens the page, or prints its address
 */
export const logIn = async (client: OAuthClient, show: (page: URL) => void): Promise<void> => {
  const server = createServer().listen(0, "127.0.0.1")
  try {
    await once(server, "listening")
    const { port } = server.address() as AddressInfo
    const redirectUri = `http://127.0.0.1:${port}/callback`
    show(await client.authorize({ redirectUri }))
    for (;;) {
      const [request, response] = (await once(server, "request")) as [IncomingMessage, ServerResponse]
      const url = new URL(request.url ?? "/", redirectUri)
      response.end("You can close this page.")
      // Browsers ask for an icon, too.
      if (url.pathname !== "/callback") continue
      return await client.complete(url)
    }
  } finally {
    server.closeAllConnections()
    server.close()
  }
}
