import { toNodeHandler } from "@modelcontextprotocol/node"
import {
  createMcpHandler,
  McpServer,
  OAuthError,
  OAuthErrorCode,
  requireBearerAuth
} from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import * as http from "node:http"
import * as https from "node:https"
import type { AddressInfo } from "node:net"

/** PEM of a server that asks for a client certificate. */
export interface ServerTls {
  readonly key: string
  readonly cert: string
  readonly ca: string
}

/** What an access token is good for. */
interface Grant {
  readonly scope: ReadonlyArray<string>
}

/**
 * An MCP server made with the SDK, whose own gate checks the tokens. Its tool `whoami` answers with the token it was sent.
 *
 * @param grantOf what a token is good for; undefined if it is good for nothing
 */
export const makeProtectedServer = (grantOf: (token: string) => Grant | undefined, tls?: ServerTls) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const requiredScopes: Array<string> = []
      const refused: Array<number> = []
      const verifier = {
        verifyAccessToken: (token: string) => {
          const grant = grantOf(token)
          return grant === undefined
            ? Promise.reject(new OAuthError(OAuthErrorCode.InvalidToken, "unknown token"))
            : Promise.resolve({
                token,
                clientId: "agent",
                scopes: [...grant.scope],
                expiresAt: Math.floor(Date.now() / 1000) + 3600
              })
        }
      }
      const endpoint = createMcpHandler(({ authInfo }) => {
        const server = new McpServer({ name: "protected", version: "1.0.0" })
        server.registerTool("whoami", {}, () => ({
          content: [{ type: "text", text: authInfo?.token ?? "nobody" }]
        }))
        return server
      })
      const handle = async (request: Request): Promise<Response> => {
        const auth = await requireBearerAuth({ verifier, requiredScopes })(request)
        if (auth instanceof Response) {
          refused.push(auth.status)
          return auth
        }
        return endpoint.fetch(request, { authInfo: auth })
      }
      const listener = toNodeHandler({ fetch: handle })
      const server =
        tls === undefined
          ? http.createServer()
          : https.createServer({ ...tls, requestCert: true, rejectUnauthorized: true })
      server.on(
        "request",
        (request, response) => void Reflect.apply(listener, undefined, [request, response])
      )
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
      const { port } = server.address() as AddressInfo
      return {
        endpoint,
        server,
        /** The scopes that each request needs from now on. */
        requiredScopes,
        /** The statuses of requests that were refused. */
        refused,
        url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}/mcp`
      }
    }),
    ({ endpoint, server }) =>
      Effect.promise(async () => {
        await endpoint.close()
        server.closeAllConnections()
        server.close()
      })
  )
