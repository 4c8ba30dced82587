import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import {
  AddressLookup,
  type GrantRequest,
  type OAuthErrorReason,
  OAuthErrorReason as Reason,
  OAuthHttp
} from "@secure-mcp/oauth-core"
import { Answer, type RecordedRequest, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { AddressGuard } from "../src/endpoint/AddressGuard.ts"
import { GrantTargets } from "../src/resolution/GrantTarget.ts"
import { EndpointClient } from "../src/endpoint/EndpointClient.ts"
import { requestFor } from "./TestGrants.ts"

type Fields = Readonly<Record<string, unknown>>

/** The addresses of host names; one that is not named here is somewhere in public. */
export const addresses = (known: Readonly<Record<string, ReadonlyArray<string>>> = {}) =>
  Layer.succeed(AddressLookup, { lookup: (name) => Effect.succeed(known[name] ?? ["93.184.215.14"]) })

/** Any certificate will do: what it is presented with is the business of another package. */
const certificateIgnored = (usesProxy?: (url: string) => boolean) =>
  Effect.map(HttpClient.HttpClient, (client) => ({
    connection: () => Effect.succeed({ client, usesProxy })
  }))

/** Resolution over an HTTP client; real HTTP by default. */
export const makeResolution = (
  client: Layer.Layer<HttpClient.HttpClient> = NodeHttpClient.layerUndici,
  lookup = addresses(),
  usesProxy?: (url: string) => boolean
) =>
  Layer.build(
    GrantTargets.layer.pipe(
      Layer.provideMerge(EndpointClient.layer("10 seconds")),
      Layer.provide(AddressGuard.layer),
      Layer.provide(Layer.effect(OAuthHttp, certificateIgnored(usesProxy))),
      Layer.provide([client, lookup])
    )
  )

export const makeGrantTargets = (...parts: Parameters<typeof makeResolution>) =>
  Effect.map(makeResolution(...parts), Context.get(GrantTargets))

/** Resolution on a web of documents by URL, for hosts that a test cannot be; a URL that is missing answers 404. */
export const makeResolutionOn = Effect.fnUntraced(function* (
  documents: Readonly<Record<string, Fields>>,
  lookup = addresses(),
  usesProxy?: (url: string) => boolean
) {
  const asked: Array<string> = []
  const client = HttpClient.make((request, url) =>
    Effect.sync(() => {
      asked.push(request.url)
      const document = documents[url.href]
      const answer = document === undefined ? new Response(null, { status: 404 }) : Response.json(document)
      return HttpClientResponse.fromWeb(request, answer)
    })
  )
  const targets = yield* makeGrantTargets(Layer.succeed(HttpClient.HttpClient, client), lookup, usesProxy)
  return { asked, targets }
})

/** An entry with the URL of its server and the least configuration. */
export const discoveredRequest = (resourceUrl: string | undefined, oauth: Fields = {}): GrantRequest => ({
  ...requestFor({
    grant_type: "authorization_code",
    client_id: undefined,
    client_secret: undefined,
    ...oauth
  }),
  resourceUrl
})

export const redirectUri = "http://127.0.0.1:3000/oauth/callback"

/** An MCP server with its metadata at the path form, and its authorization server, each on an origin of its own. */
export const makeServers = Effect.fnUntraced(function* (
  options: { readonly resource?: Fields; readonly metadata?: Fields } = {}
) {
  const mcp = yield* StubAuthorizationServer.make()
  const as = yield* StubAuthorizationServer.make()
  const resourceUrl = mcp.endpoint("/mcp")
  yield* mcp.always(
    "/.well-known/oauth-protected-resource/mcp",
    Answer.json({ resource: resourceUrl, authorization_servers: [as.url], ...options.resource })
  )
  const serveMetadata = (fields: Fields = {}) =>
    as.always(
      "/.well-known/oauth-authorization-server",
      Answer.json({ ...metadataOf(as.url), ...options.metadata, ...fields })
    )
  yield* serveMetadata()
  return { mcp, as, resourceUrl, serveMetadata }
})

/** What a complete authorization server says of itself. */
export const metadataOf = (issuer: string): Fields => ({
  issuer,
  token_endpoint: `${issuer}/token`,
  authorization_endpoint: `${issuer}/authorize`,
  registration_endpoint: `${issuer}/register`,
  revocation_endpoint: `${issuer}/revoke`,
  code_challenge_methods_supported: ["S256"]
})

/** Answers registrations with the clients `client-1`, `client-2`, … */
export const serveRegistration = Effect.fnUntraced(function* (
  as: StubAuthorizationServer,
  answer: (count: number) => Fields = (count) => ({ client_id: `client-${count}` })
) {
  let count = 0
  yield* as.always(
    "/register",
    Answer.respondWith(() => Effect.sync(() => Answer.json(answer(++count), { status: 201 })))
  )
})

export const pathsOf = (requests: ReadonlyArray<RecordedRequest>) =>
  requests.map(({ method, rawUrl }) => `${method} ${rawUrl}`)

/** A reason as plain data. */
export const plain = (reason: OAuthErrorReason): Fields => Schema.encodeSync(Reason)(reason)
