import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"

/** One protocol revision of each kind: with sessions, and stateless. */
export const revisions = ["2025-11-25", "2026-07-28"] as const
export type Revision = (typeof revisions)[number]

/** The official client, connected until the scope closes. */
export const connect = (url: string, revision: Revision, headers: Record<string, string> = {}) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client(
        { name: "gateway-test", version: "1.0.0" },
        { versionNegotiation: { mode: revision === "2025-11-25" ? "legacy" : { pin: revision } } }
      )
      const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
      await client.connect(transport)
      return { client, transport }
    }),
    ({ client }) => Effect.promise(() => client.close())
  )

/** The text that `echo_auth_header` answers with. */
export const echo = (client: Client) =>
  Effect.promise(async () => {
    const { content } = await client.callTool({ name: "echo_auth_header", arguments: {} })
    const [first] = content
    return first?.type === "text" ? first.text : "(no text)"
  })
