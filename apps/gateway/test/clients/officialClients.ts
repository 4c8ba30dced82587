import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client"
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { CreateMessageRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Where a client connects to. */
export type Target =
  | { readonly url: string }
  | { readonly command: string; readonly args: ReadonlyArray<string>; readonly env: Record<string, string> }

/** What both versions of the official client can do. */
export interface TestClient {
  readonly tools: Effect.Effect<ReadonlyArray<string>>
  /** The text of a tool's result. */
  readonly call: (name: string, args: object, options?: CallOptions) => Effect.Effect<string>
  readonly readResource: (uri: string) => Effect.Effect<unknown>
  readonly prompt: (name: string) => Effect.Effect<unknown>
  readonly ping: Effect.Effect<unknown>
}

interface CallOptions {
  readonly onprogress?: (progress: { readonly progress: number }) => void
  readonly signal?: AbortSignal
}

const info = { name: "official-client", version: "1.0.0" }
const capabilities = { sampling: {} }

/** How the clients answer a server that asks for a completion. */
const completion = {
  model: "test-model",
  role: "assistant" as const,
  content: { type: "text" as const, text: "sampled by the client" }
}

const stdioParameters = ({ args, command, env }: Exclude<Target, { readonly url: string }>) => ({
  command,
  args: [...args],
  env,
  stderr: "ignore" as const
})

const connectV1 = async (target: Target) => {
  const client = new ClientV1(info, { capabilities })
  client.setRequestHandler(CreateMessageRequestSchema, () => completion)
  await client.connect(
    // The types of the SDK do not fit exactOptionalPropertyTypes.
    "url" in target ? Object.assign(new HttpV1(new URL(target.url))) : new StdioV1(stdioParameters(target))
  )
  return {
    client,
    call: (name: string, args: object, options?: CallOptions) =>
      client.callTool({ name, arguments: { ...args } }, undefined, options)
  }
}

const connectV2 = async (target: Target) => {
  const client = new ClientV2(info, { capabilities })
  client.setRequestHandler("sampling/createMessage", () => completion)
  await client.connect(
    "url" in target ? new HttpV2(new URL(target.url)) : new StdioV2(stdioParameters(target))
  )
  return {
    client,
    call: (name: string, args: object, options?: CallOptions) =>
      client.callTool({ name, arguments: { ...args } }, options)
  }
}

/** The official clients by version, connected until the scope closes. */
export const officialClients = {
  "the SDK's client of version 1": (target: Target) => connected(() => connectV1(target)),
  "the SDK's client of version 2": (target: Target) => connected(() => connectV2(target))
}

const connected = (
  connect: () => Promise<Awaited<ReturnType<typeof connectV1>> | Awaited<ReturnType<typeof connectV2>>>
): Effect.Effect<TestClient, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.promise(connect), ({ client }) => Effect.promise(() => client.close())).pipe(
    Effect.map(({ call, client }) => ({
      tools: Effect.promise(async () => (await client.listTools()).tools.map(({ name }) => name)),
      call: (name, args, options) =>
        Effect.promise(async () => JSON.stringify((await call(name, args, options)).content)),
      readResource: (uri) => Effect.promise(() => client.readResource({ uri })),
      prompt: (name) => Effect.promise(() => client.getPrompt({ name })),
      ping: Effect.promise(() => client.ping())
    }))
  )
