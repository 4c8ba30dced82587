import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { HttpAnswer, httpAnswers } from "../input/HttpAnswers.ts"
import { jsonBytes, objectOf } from "../input/JsonTexts.ts"
import { secretNamed } from "../input/Secrets.ts"
import { Broken, type Target } from "../run/Target.ts"
import { makeGrants, requestFor } from "../servers/Flows.ts"
import { scriptedHttp } from "../servers/ScriptedHttp.ts"
import { inVirtualTime } from "../servers/VirtualTime.ts"

const secrets = {
  clientSecret: secretNamed("client-secret"),
  registeredSecret: secretNamed("registered-secret"),
  registrationToken: secretNamed("registration-access-token"),
  accessToken: secretNamed("granted-access-token")
}

const configured = { client_id: "gateway", client_secret: secrets.clientSecret }

/** How much is left to discovery. */
const situations = {
  person: { ...configured, grant_type: "authorization_code" },
  "person with an issuer": {
    ...configured,
    grant_type: "authorization_code",
    issuer: "https://auth.example"
  },
  "person without a client": { grant_type: "authorization_code" },
  "person with a device": { ...configured, grant_type: "device_code" },
  machine: { ...configured, grant_type: "client_credentials" },
  "machine with an issuer": { ...configured, issuer: "https://auth.example/tenant" }
} as const
const situationNames = [
  "person",
  "person with an issuer",
  "person without a client",
  "person with a device",
  "machine",
  "machine with an issuer"
] as const

const Input = Schema.Struct({
  situation: Schema.Literals(situationNames),
  /** Metadata of the MCP server (RFC 9728). */
  resource: HttpAnswer,
  /** Metadata of the authorization server (RFC 8414). */
  server: HttpAnswer,
  /** The answer to a registration (RFC 7591) and to all other requests. */
  other: HttpAnswer
})

const urls = fc.constantFrom(
  "https://auth.example",
  "https://auth.example/",
  "https://auth.example/tenant",
  "https://auth.example/token",
  "https://other.example/token?a=b#c",
  "http://auth.example/token",
  "https://127.0.0.1/token",
  "https://169.254.169.254/latest/meta-data",
  "https://[::ffff:10.0.0.1]/token",
  "https://0x7f.1/",
  "https://unknown.invalid/token",
  "https://user:password@auth.example/token",
  "https://auth.example:99999/",
  "ftp://auth.example/",
  "/token",
  "https://mcp.example/mcp",
  "https://mcp.example",
  "https://аuth.example/token"
)

const texts = (...values: ReadonlyArray<string>) => fc.subarray([...values])

const resourceMetadata = objectOf({
  resource: fc.oneof(fc.constant("https://mcp.example/mcp"), urls),
  authorization_servers: fc.array(urls, { maxLength: 4 }),
  scopes_supported: texts("mcp:read", "offline_access", "", "a b", '"'),
  bearer_methods_supported: texts("header", "query"),
  resource_name: fc.constant("Notes"),
  tls_client_certificate_bound_access_tokens: fc.boolean()
})

const serverMetadata = objectOf({
  issuer: fc.oneof(fc.constantFrom("https://auth.example", "https://auth.example/tenant"), urls),
  authorization_endpoint: urls,
  token_endpoint: urls,
  registration_endpoint: urls,
  revocation_endpoint: urls,
  device_authorization_endpoint: urls,
  pushed_authorization_request_endpoint: urls,
  require_pushed_authorization_requests: fc.boolean(),
  authorization_response_iss_parameter_supported: fc.boolean(),
  client_id_metadata_document_supported: fc.boolean(),
  scopes_supported: texts("mcp:read", "offline_access", "openid"),
  response_types_supported: texts("code", "token"),
  grant_types_supported: texts("authorization_code", "refresh_token", "client_credentials"),
  code_challenge_methods_supported: texts("S256", "plain"),
  token_endpoint_auth_methods_supported: texts(
    "none",
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt",
    "tls_client_auth"
  ),
  mtls_endpoint_aliases: fc.record({ token_endpoint: urls }, { requiredKeys: [] })
})

const registration = objectOf({
  client_id: fc.constantFrom("registered", "", "é"),
  client_secret: fc.constant(secrets.registeredSecret),
  client_secret_expires_at: fc.oneof(fc.integer(), fc.constantFrom(0, 1e300)),
  client_id_issued_at: fc.integer(),
  registration_access_token: fc.constant(secrets.registrationToken),
  registration_client_uri: urls,
  redirect_uris: fc.array(urls, { maxLength: 2 }),
  token_endpoint_auth_method: fc.constantFrom("none", "client_secret_basic", "private_key_jwt"),
  grant_types: texts("authorization_code", "refresh_token"),
  request_uri: fc.constantFrom("urn:ietf:params:oauth:request_uri:abc", "", "https://evil.example"),
  access_token: fc.constant(secrets.accessToken),
  token_type: fc.constant("Bearer"),
  expires_in: fc.integer(),
  error: fc.constantFrom("invalid_client_metadata", "invalid_redirect_uri", "invalid_client")
})

const answers = (objects: fc.Arbitrary<object>) =>
  httpAnswers(jsonBytes(objects), {
    contentTypes: ["application/json", "application/json", "text/html", "application/jwt"]
  })

/** Metadata of MCP servers and of authorization servers, and what registers a client. */
export const metadata: Target<typeof Input.Type> = {
  name: "metadata",
  input: Input,
  secrets: Object.values(secrets),
  inputs: fc.record({
    situation: fc.constantFrom(...situationNames),
    resource: answers(resourceMetadata),
    server: answers(serverMetadata),
    other: answers(registration)
  }),
  open: Effect.succeed((input) =>
    Effect.gen(function* () {
      const http = scriptedHttp(({ pathname }) => {
        if (pathname.includes("/.well-known/oauth-protected-resource")) return input.resource
        return pathname.includes("/.well-known/") ? input.server : input.other
      })
      const outcome = yield* inVirtualTime(Effect.scoped(begin(http.client, input.situation)))
      const forbidden = http.urls.filter((url) => isInternal(new URL(url)))
      if (forbidden.length > 0)
        return yield* new Broken({ problem: `no request inside: ${forbidden[0]} was asked` })
      if (http.urls.length > mostRequests)
        return yield* new Broken({ problem: `no storm: ${http.urls.length} requests were sent` })
      return [outcome, http.urls]
    })
  )
}

/** Of discovery, registration and a token request, with their repetitions; a device is polled every five seconds. */
const mostRequests = 1000

/** The configured servers are public, so no discovered address may lead inside. */
const isInternal = ({ hostname }: URL): boolean =>
  /^(127\.|10\.|169\.254\.|\[::)/.test(hostname) || hostname === "localhost"

const begin = Effect.fnUntraced(function* (
  client: Parameters<typeof makeGrants>[0],
  situation: (typeof situationNames)[number]
) {
  const service = yield* makeGrants(client)
  const config = situations[situation]
  const request = requestFor(config)
  const first = Effect.gen(function* () {
    if (!("grant_type" in config) || config.grant_type === "client_credentials")
      return yield* Effect.result(service.acquire(request, undefined))
    if (config.grant_type === "device_code")
      return yield* Effect.result(
        Effect.flatMap(service.authorizeDevice(request), ({ token }) => Effect.result(token))
      )
    return yield* Effect.result(service.authorize(request, "http://127.0.0.1:8787/oauth/callback"))
  })
  // The second time, what is remembered of the first counts.
  return [yield* first, yield* first]
})
