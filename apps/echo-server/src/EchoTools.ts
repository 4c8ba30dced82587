import { McpServer, type ServerContext } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

const shownCharacters = 20

/**
 * An MCP server with the echo tools. One is made for each session, or for each request where the
 * protocol has no sessions; `tokenOf` finds the token that belongs to a tool call.
 */
export const makeMcpServer = (
  tokenOf: (context: ServerContext) => Redacted.Redacted<string> | undefined,
  runPromise: RunPromise
): McpServer => {
  const server = new McpServer(
    { name: "echo-mcp-server", version: "0.1.0" },
    { capabilities: { logging: {} } }
  )
  registerEchoAuthHeader(server, tokenOf)
  registerEchoSubject(server, tokenOf)
  registerCountSlowly(server, runPromise)
  return server
}

/** How the tools run their effects: with the services of the caller that started the server, such as its clock. */
export type RunPromise = <A>(
  effect: Effect.Effect<A>,
  options: { readonly signal: AbortSignal }
) => Promise<A>

const registerEchoAuthHeader = (
  server: McpServer,
  tokenOf: (context: ServerContext) => Redacted.Redacted<string> | undefined
) =>
  server.registerTool(
    "echo_auth_header",
    {
      title: "Echo the access token",
      description: `Shows the first ${shownCharacters} characters of the access token this very call arrived with: from the Authorization header over HTTP, from ENKRYPT_ACCESS_TOKEN over stdio.`,
      annotations: { readOnlyHint: true, openWorldHint: false }
    },
    (context) => textResult(describeToken(tokenOf(context)))
  )

const describeToken = (token: Redacted.Redacted<string> | undefined) =>
  token === undefined
    ? "Received token: No token found..."
    : `Received token: ${Redacted.value(token).slice(0, shownCharacters)}...`

const registerEchoSubject = (
  server: McpServer,
  tokenOf: (context: ServerContext) => Redacted.Redacted<string> | undefined
) =>
  server.registerTool(
    "echo_subject",
    {
      title: "Echo the subject",
      description:
        "Shows whom the access token of this very call names, if it is a JWT: its `sub`. The token is not verified.",
      annotations: { readOnlyHint: true, openWorldHint: false }
    },
    (context) => textResult(describeSubject(tokenOf(context)))
  )

const describeSubject = (token: Redacted.Redacted<string> | undefined) => {
  if (token === undefined) return "Subject: No token found"
  const [, claims = ""] = Redacted.value(token).split(".")
  const subject = Option.map(decodeClaims(Buffer.from(claims, "base64url").toString()), ({ sub }) => sub)
  return `Subject: ${Option.getOrElse(subject, () => "The token names nobody")}`
}

const decodeClaims = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ sub: Schema.String })))

const CountSlowlyInput = Schema.toStandardJSONSchemaV1(
  Schema.toStandardSchemaV1(
    Schema.Struct({
      steps: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 })).annotate({
        description: "How far to count"
      }),
      delay_ms: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 60_000 })).annotate({
        description: "Milliseconds to wait after each step"
      })
    })
  )
)

const registerCountSlowly = (server: McpServer, runPromise: RunPromise) =>
  server.registerTool(
    "count_slowly",
    {
      title: "Count slowly",
      description:
        "Counts from 1 to `steps` and waits `delay_ms` milliseconds after each step. Every step is announced at once, as a progress notification when the caller asked for progress and as a log message, so that a streaming connection can be watched while the call runs.",
      inputSchema: CountSlowlyInput,
      annotations: { readOnlyHint: true, openWorldHint: false }
    },
    ({ delay_ms, steps }, context) =>
      runPromise(countSlowly(steps, delay_ms, context), { signal: context.mcpReq.signal })
  )

const countSlowly = Effect.fnUntraced(function* (steps: number, delay: number, context: ServerContext) {
  for (let step = 1; step <= steps; step += 1) {
    yield* Effect.promise(() => announce(step, steps, context))
    yield* Effect.sleep(delay)
  }
  return textResult(`Counted to ${steps}`)
})

const announce = async (step: number, steps: number, { mcpReq }: ServerContext) => {
  const { _meta: meta } = mcpReq
  const progressToken = meta?.progressToken
  const message = `Step ${step} of ${steps}`
  if (progressToken !== undefined) {
    await mcpReq.notify({
      method: "notifications/progress",
      params: { progressToken, progress: step, total: steps, message }
    })
  }
  await mcpReq.log("info", message, "count_slowly")
}

const textResult = (text: string) => ({ content: [{ type: "text" as const, text }] })
