import type { OAuthClient } from "../OAuthClient.ts"
import { OAuthClientError } from "../OAuthClientError.ts"
import { type SdkSupport, sdkSupport } from "../SdkSupport.ts"

/** Options of `mcpAuthProvider`. */
export interface McpAuthProviderOptions {
  /**
   * Shows the page where the person logs in: opens a browser, or prints the URL. What the browser returns to goes to
   * `client.complete`. Without it a login is an `OAuthClientError` with the reason `AuthorizationRequired`.
   */
  readonly onRedirect?: ((authorizationUrl: URL) => void | Promise<void>) | undefined
}

/** What the SDK is told about the authorization server. Nothing is ever sent there. */
export interface McpDiscoveryState {
  /** The authorization server. */
  readonly authorizationServerUrl: string
  /** Its metadata (RFC 8414). */
  readonly authorizationServerMetadata: {
    issuer: string
    authorization_endpoint: string
    token_endpoint: string
    response_types_supported: Array<string>
    code_challenge_methods_supported: Array<string>
  }
  /** The metadata of the MCP server (RFC 9728). */
  readonly resourceMetadata: { resource: string }
}

/** An `OAuthClientProvider` as transports of the MCP TypeScript SDK take it, versions 1 and 2. */
export interface McpAuthProvider {
  /** Where a browser returns to; undefined where nobody logs in. */
  get redirectUrl(): string | undefined
  /** The metadata of a client that would register. It never does. */
  get clientMetadata(): { redirect_uris: Array<string>; client_name: string }
  /** What the SDK would have to look up otherwise. */
  discoveryState(): McpDiscoveryState
  /** A client that need not register. */
  clientInformation(): { client_id: string; issuer: string }
  /** The token for the next request, renewed if need be; undefined if a person has to log in. */
  tokens(): Promise<McpTokens | undefined>
  /** Nothing: the client has stored them already. */
  saveTokens(): void
  /** Begins the login of the client, with the scope of the URL given, and hands its page to `onRedirect`. */
  redirectToAuthorization(authorizationUrl: URL): Promise<void>
  /** Nothing: the client has a code verifier of its own. */
  saveCodeVerifier(): void
  /** No secret: the client has a code verifier of its own. */
  codeVerifier(): string
  /** undefined: the client decides about the resource indicator (RFC 8707). */
  validateResourceURL(): Promise<undefined>
  /** Replaces a token that was refused, where nobody has to log in. */
  prepareTokenRequest(scope?: string): Promise<URLSearchParams | undefined>
  /** Answers a token request of the SDK in its place: the client has done what it is for. */
  addClientAuthentication(headers: Headers, params: URLSearchParams, url: string | URL): Promise<void>
}

/** An access token, as the SDK has it. */
export interface McpTokens {
  access_token: string
  token_type: string
  refresh_token?: string
  issuer: string
}

/**
 * The `OAuthClientProvider` of a client, for a transport of the MCP TypeScript SDK. The SDK asks it for tokens, and has it
 * replace those that the server refuses; the client does all that is needed for that, by its own connections and under its
 * own lease, and the SDK sends nothing to an authorization server.
 *
 * @example
 * ```ts
 * import { createOAuthClient } from "@secure-mcp/oauth-client"
 * import { mcpAuthProvider } from "@secure-mcp/oauth-client/mcp"
 * import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
 *
 * const serverUrl = new URL("https://mcp.example.com/mcp")
 * const client = createOAuthClient({ serverUrl, client_id: "my-agent", client_secret: process.env["CLIENT_SECRET"] })
 *
 * export const agent = new Client({ name: "my-agent", version: "1.0.0" })
 * await agent.connect(new StreamableHTTPClientTransport(serverUrl, { authProvider: mcpAuthProvider(client) }))
 * ```
 */
export const mcpAuthProvider = (
  client: OAuthClient,
  { onRedirect }: McpAuthProviderOptions = {}
): McpAuthProvider => {
  const support = supportOf(client)
  const { redirectUri } = support
  /** The token that the server has seen last. */
  let sent: string | undefined
  /** The `state` of the login under way: the SDK hands on the code alone. */
  let state: string | undefined

  return {
    redirectUrl: redirectUri,
    clientMetadata: {
      redirect_uris: redirectUri === undefined ? [] : [redirectUri],
      client_name: "oauth-client"
    },
    discoveryState: () => nowhere,
    clientInformation: () => ({ client_id: "oauth-client", issuer }),
    tokens: async () => {
      try {
        sent = await client.getAccessToken()
      } catch (error) {
        if (!isLoginNeeded(error)) throw error
        sent = undefined
        return undefined
      }
      return {
        access_token: sent,
        token_type: "Bearer",
        issuer,
        // So that the SDK asks for a renewal before it asks for a login.
        ...(redirectUri === undefined ? {} : { refresh_token: placeholder })
      }
    },
    saveTokens: () => undefined,
    redirectToAuthorization: async (authorizationUrl) => {
      if (onRedirect === undefined)
        throw new OAuthClientError(
          "A person has to log in: give mcpAuthProvider a function `onRedirect` that shows them the page",
          { reason: "AuthorizationRequired" }
        )
      const scope = authorizationUrl.searchParams.get("scope") ?? undefined
      const page = await support.authorize(scope)
      state = page.searchParams.get("state") ?? undefined
      await onRedirect(page)
    },
    saveCodeVerifier: () => undefined,
    codeVerifier: () => placeholder,
    validateResourceURL: () => Promise.resolve(undefined),
    prepareTokenRequest: async (scope) => {
      // With a redirect URI there is a code to exchange, below.
      if (redirectUri !== undefined) return undefined
      await support.replace(sent, scope)
      return new URLSearchParams({ grant_type: placeholder })
    },
    addClientAuthentication: async (_headers, params, url) => {
      const code = params.get("code")
      if (code !== null) await client.complete(callbackUrl(redirectUri, { code, state }))
      else if (params.get("grant_type") === "refresh_token") await support.replace(sent, undefined)
      answerInPlace(url)
    }
  }
}

/** Reserved (RFC 6761 §6.4): if the SDK did send something, it would reach nobody. */
const issuer = "https://oauth-client.invalid"

const placeholder = "kept-by-oauth-client"

const nowhere: McpDiscoveryState = {
  authorizationServerUrl: issuer,
  authorizationServerMetadata: {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    response_types_supported: ["code"],
    code_challenge_methods_supported: ["S256"]
  },
  resourceMetadata: { resource: issuer }
}

/**
 * The SDK has to send a token request, and takes a token only from its answer. So it is sent to an answer: a `data:` URL,
 * which `fetch` reads without a connection. The token in it is none; that of the client follows with `tokens`.
 */
const answerInPlace = (url: string | URL): void => {
  const answer = { access_token: placeholder, token_type: "Bearer" }
  if (url instanceof URL) url.href = `data:application/json,${encodeURIComponent(JSON.stringify(answer))}`
}

const callbackUrl = (
  redirectUri: string | undefined,
  { code, state }: { readonly code: string; readonly state: string | undefined }
): URL => {
  const url = new URL(redirectUri ?? issuer)
  url.searchParams.set("code", code)
  if (state !== undefined) url.searchParams.set("state", state)
  return url
}

const isLoginNeeded = (error: unknown): boolean =>
  error instanceof OAuthClientError && error.reason === "AuthorizationRequired"

const supportOf = (client: OAuthClient & { readonly [sdkSupport]?: SdkSupport }): SdkSupport => {
  const support = client[sdkSupport]
  if (support === undefined)
    throw new OAuthClientError("mcpAuthProvider needs a client of createOAuthClient", {
      reason: "Misconfigured"
    })
  return support
}
