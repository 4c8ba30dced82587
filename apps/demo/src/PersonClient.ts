import {
  Client,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
  StreamableHTTPClientTransport,
  UnauthorizedError
} from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import { logIn } from "./Browser.ts"
import { McpClientError } from "./McpClient.ts"

/** What an MCP client keeps of its person's login: nothing in the beginning. */
class Login implements OAuthClientProvider {
  readonly redirectUrl = "http://127.0.0.1/callback"
  readonly clientMetadata = {
    client_name: "Secure MCP demo",
    redirect_uris: [this.redirectUrl],
    grant_types: ["authorization_code", "refresh_token"],
    application_type: "native",
    token_endpoint_auth_method: "none"
  }
  page: URL | undefined
  private client: StoredOAuthClientInformation | undefined
  private current: StoredOAuthTokens | undefined
  private discovered: OAuthDiscoveryState | undefined
  private verifier = ""

  clientInformation() {
    return this.client
  }
  saveClientInformation(client: StoredOAuthClientInformation) {
    this.client = client
  }
  tokens() {
    return this.current
  }
  saveTokens(tokens: StoredOAuthTokens) {
    this.current = tokens
  }
  redirectToAuthorization(page: URL) {
    this.page = page
  }
  saveCodeVerifier(verifier: string) {
    this.verifier = verifier
  }
  codeVerifier() {
    return this.verifier
  }
  saveDiscoveryState(state: OAuthDiscoveryState) {
    this.discovered = state
  }
  discoveryState() {
    return this.discovered
  }
}

/** A person with the official MCP client, which is given nothing but a URL: it registers and logs them in by itself. */
export const connectPerson = (url: string, name: string) =>
  Effect.acquireRelease(
    attempt(async () => {
      const login = new Login()
      const client = new Client({ name: "secure-mcp-demo", version: "1.0.0" })
      const transport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider: login })
      const isAdmitted = await client.connect(transport()).then(
        () => true,
        (error: unknown) => {
          if (error instanceof UnauthorizedError) return false
          throw error
        }
      )
      if (isAdmitted || login.page === undefined) throw new Error("nobody had to log in")
      const back = await logIn(login.page.href, name, login.redirectUrl)
      await transport().finishAuth(back.searchParams)
      await client.connect(transport())
      return {
        client,
        page: login.page,
        clientId: login.clientInformation()?.client_id ?? "",
        token: login.tokens()?.access_token ?? ""
      }
    }),
    ({ client }) => Effect.promise(() => client.close())
  )

/** Whom the MCP server takes the person for, in the words of `echo_subject`. */
export const subjectOf = (client: Client) =>
  attempt(async () => {
    const { content } = await client.callTool({ name: "echo_subject", arguments: {} })
    const [first] = content
    return first?.type === "text" ? first.text : "(no text)"
  })

const attempt = <A>(call: () => Promise<A>) =>
  Effect.tryPromise({ try: call, catch: (cause) => new McpClientError({ message: String(cause) }) })
