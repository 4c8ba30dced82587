import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** What the MCP client says when a call fails. */
export class McpClientError extends Data.TaggedError("McpClientError")<{ readonly message: string }> {}

/** The official MCP client, connected until the scope closes. It has no token. */
export const connectClient = (url: string) =>
  Effect.acquireRelease(
    attempt(async () => {
      const client = new Client({ name: "secure-mcp-demo", version: "1.0.0" })
      await client.connect(new StreamableHTTPClientTransport(new URL(url)))
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

/** The text that `echo_auth_header` answers with. */
export const echo = (client: Client) =>
  attempt(async () => {
    const { content } = await client.callTool({ name: "echo_auth_header", arguments: {} })
    const [first] = content
    return first?.type === "text" ? first.text : "(no text)"
  })

const attempt = <A>(call: () => Promise<A>) =>
  Effect.tryPromise({ try: call, catch: (cause) => new McpClientError({ message: String(cause) }) })
