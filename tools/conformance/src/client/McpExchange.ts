import {
  Client,
  ProtocolError,
  SdkHttpError,
  StreamableHTTPClientTransport
} from "@modelcontextprotocol/client"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { openInBrowser } from "./Person.ts"

/** How an exchange through the gateway ended. */
export type Outcome =
  | { readonly _tag: "Exchanged"; readonly logins: number }
  /** `reason`: what the gateway told the client, or the person on the last page of the login. */
  | { readonly _tag: "Refused"; readonly reason: string }

/** The gateway answers with a URL for the person to open. */
class LoginRequired extends Data.TaggedError("LoginRequired")<{ readonly authorizationUrl: string }> {}

class Refused extends Data.TaggedError("Refused")<{ readonly reason: string }> {}

/** More logins than the gateway may ask for: a step-up takes three. */
const mostLogins = 6

/**
 * The whole exchange of a client without OAuth support: it connects, lists the tools, and calls `test-tool`.
 * Whenever the gateway asks for a login, a person opens the URL, and the client tries again.
 *
 * @param revision of MCP, which decides between sessions and stateless requests
 */
export const exchange = (url: string, revision: string): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    let logins = 0
    let refused: Refused | undefined
    const logIn = Effect.fnUntraced(function* ({ authorizationUrl }: LoginRequired) {
      logins += 1
      if (logins > mostLogins) return yield* new Refused({ reason: `More than ${mostLogins} logins` })
      const page = yield* openInBrowser(authorizationUrl)
      if (page.status < 400) return
      refused = new Refused({ reason: page.text })
      return yield* refused
    })
    const withLogins = <A, R>(
      request: Effect.Effect<A, LoginRequired | Refused, R>
    ): Effect.Effect<A, Refused, R> =>
      request.pipe(
        // A client that answers the question of 2026-07-28 itself knows only that the answer was no.
        Effect.mapError((error) => refused ?? error),
        Effect.catchTag("LoginRequired", (required) =>
          Effect.flatMap(logIn(required), () => withLogins(request))
        )
      )

    const client = yield* withLogins(connect(url, revision, logIn))
    const { tools } = yield* withLogins(ask(() => client.listTools()))
    if (!tools.some(({ name }) => name === "test-tool"))
      return yield* new Refused({ reason: `test-tool is not among the tools: ${JSON.stringify(tools)}` })
    const { content } = yield* withLogins(ask(() => client.callTool({ name: "test-tool", arguments: {} })))
    const [first] = content
    if (first?.type !== "text" || first.text !== "test")
      return yield* new Refused({ reason: `test-tool answers ${JSON.stringify(content)}` })
    return { _tag: "Exchanged" as const, logins }
  }).pipe(
    Effect.scoped,
    Effect.catchTag("Refused", ({ reason }) => Effect.succeed({ _tag: "Refused" as const, reason }))
  )

/** The official client, connected until the scope closes. */
const connect = Effect.fnUntraced(function* (
  url: string,
  revision: string,
  logIn: (required: LoginRequired) => Effect.Effect<void, Refused>
) {
  const run = Effect.runPromiseExitWith(yield* Effect.context())
  const makeClient = () => {
    const client = new Client(
      { name: "conformance", version: "1.0.0" },
      revision >= "2026-07-28"
        ? { capabilities: { elicitation: { url: {} } }, versionNegotiation: { mode: { pin: revision } } }
        : {
            capabilities: { elicitation: { url: {} } },
            versionNegotiation: { mode: "legacy" },
            supportedProtocolVersions: [revision]
          }
    )
    // The question of 2026-07-28. The client sends the request again by itself once this is answered.
    client.setRequestHandler("elicitation/create", async ({ params }) => {
      if (params.mode !== "url") return { action: "decline" }
      const exit = await run(logIn(new LoginRequired({ authorizationUrl: params.url })))
      return { action: exit._tag === "Success" ? "accept" : "decline" }
    })
    return client
  }
  return yield* Effect.acquireRelease(
    ask(async () => {
      const client = makeClient()
      await client.connect(new StreamableHTTPClientTransport(new URL(url)))
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )
})

const ask = <A>(request: () => Promise<A>) =>
  Effect.tryPromise({
    try: request,
    catch: (error) => {
      const authorizationUrl = loginUrl(error)
      return authorizationUrl === undefined
        ? new Refused({ reason: `${String(error)} ${answerText(error)}`.trim() })
        : new LoginRequired({ authorizationUrl })
    }
  })

/** Where a person is asked to log in: in an error of 2025-11-25, else in that of the gateway. */
const loginUrl = (error: unknown): string | undefined => {
  if (error instanceof ProtocolError) {
    const elicitations = property(error.data, "elicitations")
    const url = property(Array.isArray(elicitations) ? elicitations[0] : undefined, "url")
    return Predicate.isString(url) ? url : undefined
  }
  return /"authorization_url":"([^"]+)"/.exec(answerText(error))?.[1]
}

/** The body of an answer that is an HTTP error. */
const answerText = (error: unknown): string => {
  const text = error instanceof SdkHttpError ? error.data["text"] : undefined
  return Predicate.isString(text) ? text : ""
}

const property = (value: unknown, key: string): unknown =>
  Predicate.isObject(value) ? Reflect.get(value, key) : undefined
