import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"

export const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))

/** One protocol revision of each kind: with sessions, and stateless. */
export const revisions = ["2025-11-25", "2026-07-28"] as const
export type Revision = (typeof revisions)[number]

const makeClient = (revision: Revision) =>
  new Client(
    { name: "echo-server-test", version: "1.0.0" },
    { versionNegotiation: { mode: revision === "2025-11-25" ? "legacy" : { pin: revision } } }
  )

/** A client of the official SDK, connected until the scope closes, with its own headers. */
export const connectHttp = (url: string, revision: Revision, headers: Record<string, string> = {}) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = makeClient(revision)
      const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
      await client.connect(transport)
      return { client, transport }
    }),
    ({ client }) => Effect.promise(() => client.close())
  )

/** A client of the official SDK, connected to the command `echo-mcp-server stdio`. */
export const connectStdio = (revision: Revision, env: Record<string, string>) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = makeClient(revision)
      await client.connect(
        new StdioClientTransport({
          command: process.execPath,
          args: ["--conditions=@secure-mcp/source", main, "stdio"],
          env
        })
      )
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

/** The text a tool answers with. */
export const callTool = (client: Client, name: string, args: Record<string, unknown> = {}) =>
  Effect.promise(async () => {
    const result = await client.callTool({ name, arguments: args })
    const [first] = result.content
    return { isError: result.isError === true, text: first?.type === "text" ? first.text : "" }
  })
