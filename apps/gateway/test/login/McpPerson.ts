import { Client, ProtocolError, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import type { Revision } from "../http/McpClient.ts"

/** The official client of a person who opens the URLs they are shown, connected until the scope closes. */
export const connectPerson = (
  url: string,
  revision: Revision,
  {
    headers = {},
    open
  }: { readonly headers?: Record<string, string>; readonly open?: (url: string) => void } = {}
) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client(
        { name: "gateway-test", version: "1.0.0" },
        {
          capabilities: { elicitation: { url: {} } },
          versionNegotiation: { mode: revision === "2025-11-25" ? "legacy" : { pin: revision } }
        }
      )
      client.setRequestHandler("elicitation/create", ({ params }) => {
        if (params.mode === "url") open?.(params.url)
        return { action: "accept" }
      })
      await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }))
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

/** What went wrong with something that the official client tried. */
export const failureOf = <A, R>(attempt: Effect.Effect<A, unknown, R>) =>
  attempt.pipe(
    Effect.sandbox,
    Effect.flip,
    Effect.map((cause) =>
      cause.reasons.flatMap((reason) => ("defect" in reason ? [reason.defect] : [])).at(0)
    )
  )

/** The URL in an error of revision 2025-11-25 that asks a person to open it. */
export const urlToOpen = (error: unknown): string | undefined => {
  if (!(error instanceof ProtocolError) || error.code !== -32042) return undefined
  const { elicitations } = error.data as { elicitations: ReadonlyArray<{ mode: string; url: string }> }
  return elicitations.find(({ mode }) => mode === "url")?.url
}
