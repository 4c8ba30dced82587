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
import type { Revision } from "../http/McpClient.ts"
import { BrowserCookies, consent } from "../login/Person.ts"

/** What an MCP client keeps for the login of its person; in the beginning nothing. */
export class ClientLogin implements OAuthClientProvider {
  readonly redirectUrl = "http://127.0.0.1/callback"
  readonly clientMetadata = {
    client_name: "An MCP client",
    redirect_uris: [this.redirectUrl],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    application_type: "native",
    token_endpoint_auth_method: "none"
  }
  /** Every token that was ever given out. */
  readonly issued: Array<StoredOAuthTokens> = []
  /** Each page that the person was sent to. */
  readonly pages: Array<string> = []
  private registered: StoredOAuthClientInformation | undefined
  private discovered: OAuthDiscoveryState | undefined
  private verifier = ""
  private isLoggedIn = false

  state() {
    return `state-${this.pages.length}`
  }
  clientInformation() {
    return this.registered
  }
  saveClientInformation(information: StoredOAuthClientInformation) {
    this.registered = information
  }
  tokens() {
    return this.isLoggedIn ? this.issued.at(-1) : undefined
  }
  saveTokens(tokens: StoredOAuthTokens) {
    this.issued.push(tokens)
    this.isLoggedIn = true
  }
  redirectToAuthorization(url: URL) {
    this.pages.push(url.href)
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
  invalidateCredentials(what: string) {
    if (what === "tokens" || what === "all") this.isLoggedIn = false
  }
}

/**
 * A person with the official client, which is given nothing but the URL of a server of the gateway. It is connected until the
 * scope closes.
 */
export const startPerson = Effect.fnUntraced(function* (
  url: string,
  name: string,
  revision: Revision = "2025-11-25"
) {
  const login = new ClientLogin()
  const cookies = new BrowserCookies()
  const client = new Client(
    { name: "gateway-test", version: "1.0.0" },
    { versionNegotiation: { mode: revision === "2025-11-25" ? "legacy" : { pin: revision } } }
  )
  const transport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider: login })

  /** Whether something was done, or a login is needed before. */
  const isDone = (attempt: () => Promise<unknown>) =>
    Effect.promise(() =>
      attempt().then(
        () => true,
        (error: unknown) => {
          if (error instanceof UnauthorizedError) return false
          throw error
        }
      )
    )

  /** The person goes through the page that was opened last. */
  const logIn = Effect.gen(function* () {
    const back = yield* consent(login.pages.at(-1) ?? "", name, cookies)
    yield* Effect.promise(() => transport().finishAuth(new URL(back).searchParams))
  })

  const connect = Effect.suspend(() => isDone(() => client.connect(transport())))
  if (!(yield* connect)) {
    yield* logIn
    if (!(yield* connect)) return yield* Effect.die(new Error("The login was to no avail"))
  }
  yield* Effect.addFinalizer(() => Effect.promise(() => client.close()))

  const call = async () => {
    const { content } = await client.callTool({ name: "echo_subject", arguments: {} })
    const [first] = content
    return first?.type === "text" ? first.text : "(no text)"
  }
  return {
    login,
    logIn,
    /** Whom the MCP server takes them for. */
    subject: Effect.promise(call),
    /** Whether a call succeeds without a login. */
    mayCall: Effect.suspend(() => isDone(call))
  }
})
