import { AuthorizationServer } from "@secure-mcp/authorization-server"
import { EchoServer } from "@secure-mcp/echo-server"
import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

/** How a client learns where the metadata of the server stands (RFC 9728 §3 and §5.1). */
export type Pointer = "challenge" | "well-known"

/** An MCP server that takes the tokens of a certified OpenID provider, to which its metadata points. */
export const startProtectedServer = Effect.fnUntraced(function* ({
  accessTokenLifetime = 3600,
  clients = [],
  pointer = "challenge"
}: {
  readonly pointer?: Pointer
  readonly accessTokenLifetime?: number
  readonly clients?: Parameters<typeof AuthorizationServer.make>[0]["clients"]
} = {}) {
  const verifier = yield* Deferred.make<AuthorizationServer["Service"]>()
  const front = yield* StubAuthorizationServer.make()
  const metadataPath = pointer === "challenge" ? "/metadata" : "/.well-known/oauth-protected-resource/mcp"
  const echo = yield* EchoServer.make({
    authorize: (header) =>
      header === undefined
        ? Effect.succeed(false)
        : Effect.flatMap(Deferred.await(verifier), ({ verify }) =>
            Effect.map(verify(accessTokenIn(header)), ({ active }) => active)
          ),
    ...(pointer === "challenge" ? { resourceMetadata: front.endpoint(metadataPath) } : {})
  })
  const url = pointer === "challenge" ? echo.url : front.endpoint("/mcp")
  const authorizationServer = yield* AuthorizationServer.make({
    clients,
    resources: [{ identifier: url, scopes: ["mcp:read"], accessTokenFormat: "opaque" }],
    accessTokenLifetime
  })
  yield* Deferred.succeed(verifier, authorizationServer)
  yield* front.always("/mcp", passedOnTo(echo.url))
  yield* front.always(
    metadataPath,
    Answer.json({
      resource: url,
      authorization_servers: [authorizationServer.issuer],
      scopes_supported: ["mcp:read"]
    })
  )

  /** Whose token each request carried. Requests without a good one are left out. */
  const callers = Effect.flatMap(echo.requests, (requests) =>
    Effect.forEach(
      requests.flatMap(({ authorization }) => (authorization === undefined ? [] : [authorization])),
      (header) => authorizationServer.verify(accessTokenIn(header))
    )
  ).pipe(Effect.map((tokens) => tokens.flatMap((token) => (token.active ? [token.sub] : []))))

  return { url, echo, front, authorizationServer, callers }
})

const accessTokenIn = (header: Redacted.Redacted) => Redacted.value(header).replace("Bearer ", "")

/** The same server at an origin that has room for more paths. */
export const passedOnTo = (url: string) =>
  Answer.respondWith(({ body, headers, method }) =>
    Effect.promise(async () => {
      if (method !== "POST") return Answer.text("", { status: 405 })
      const { connection: _connection, host: _host, "content-length": _length, ...others } = headers
      const answer = await fetch(url, { method, body, headers: others as Record<string, string> })
      const text = await answer.text()
      const session = answer.headers.get("mcp-session-id")
      const challenge = answer.headers.get("www-authenticate")
      return Answer.text(text, {
        status: answer.status,
        contentType: answer.headers.get("content-type") ?? "text/plain",
        headers: {
          ...(session === null ? {} : { "mcp-session-id": session }),
          ...(challenge === null ? {} : { "www-authenticate": challenge })
        }
      })
    })
  )

/** An entry that says nothing but that people log in. */
export const personalEntry = (url: string, oauth: object = {}, name = "echo") => ({
  server_name: name,
  config: { url },
  oauth: { enabled: true, grant_type: "authorization_code", enforce_https: false, ...oauth }
})
