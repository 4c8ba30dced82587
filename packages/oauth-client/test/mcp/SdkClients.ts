import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2
} from "@modelcontextprotocol/client"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { OAuthClient } from "@secure-mcp/oauth-client"
import { mcpAuthProvider, type McpAuthProviderOptions, mcpFetch } from "@secure-mcp/oauth-client/mcp"
import * as Effect from "effect/Effect"

const info = { name: "oauth-client-test", version: "1.0.0" }

/** How a transport gets its tokens: in the ways that the README shows. */
const joints = {
  "client.fetch": (client: OAuthClient) => ({ fetch: client.fetch }),
  mcpFetch: (client: OAuthClient) => ({ fetch: mcpFetch(client) }),
  mcpAuthProvider: (client: OAuthClient, options: McpAuthProviderOptions) => ({
    authProvider: mcpAuthProvider(client, options)
  })
} as const

type JointName = keyof typeof joints

interface Tokens {
  readonly url: URL
  readonly options: ReturnType<(typeof joints)[JointName]>
}

/** A client of the SDK that is connected. */
interface Connection {
  readonly whoami: () => Promise<string>
  readonly close: () => Promise<void>
}

const textOf = (content: unknown): string => {
  const [first] = Array.isArray(content) ? content : []
  return String(Object(first).text)
}

const call = { name: "whoami", arguments: {} }

const connectV1 = async ({ options, url }: Tokens): Promise<Connection> => {
  const client = new ClientV1(info)
  // The types of the SDK do not fit exactOptionalPropertyTypes.
  await client.connect(Object.assign(new TransportV1(url, options)))
  return {
    whoami: async () => textOf((await client.callTool(call)).content),
    close: () => client.close()
  }
}

const connectV2 = async ({ options, url }: Tokens): Promise<Connection> => {
  const client = new ClientV2(info)
  await client.connect(new TransportV2(url, options))
  return {
    whoami: async () => textOf((await client.callTool(call)).content),
    close: () => client.close()
  }
}

/** Connects until the scope closes. */
const connecting =
  (version: 1 | 2, joint: JointName) =>
  (url: string, client: OAuthClient, provider: McpAuthProviderOptions = {}) => {
    const options = joints[joint](client, provider)
    const connect = version === 1 ? connectV1 : connectV2
    return Effect.acquireRelease(
      Effect.tryPromise(() => connect({ url: new URL(url), options })),
      ({ close }) => Effect.promise(close)
    ).pipe(Effect.map(({ whoami }) => ({ whoami: Effect.tryPromise(whoami) })))
  }

/** Both versions of the SDK with each way to get tokens. */
export const sdkClients = ([1, 2] as const).flatMap((version) =>
  (["client.fetch", "mcpFetch", "mcpAuthProvider"] as const).map((joint) => ({
    name: `version ${version} of the SDK with ${joint}`,
    version,
    joint,
    connect: connecting(version, joint)
  }))
)
