import { parseChallenge } from "@secure-mcp/oauth-core"
import { injectBearer, TokenInjector } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { secretNamed } from "../input/Secrets.ts"
import { hostileText, sometimesDamaged } from "../input/Texts.ts"
import { Broken, type Target } from "../run/Target.ts"
import { makeInjector, requestFor } from "../servers/Flows.ts"
import { scriptedHttp } from "../servers/ScriptedHttp.ts"
import { inVirtualTime } from "../servers/VirtualTime.ts"

const secrets = {
  clientSecret: secretNamed("client-secret"),
  accessToken: secretNamed("granted-access-token")
}

const Input = Schema.Struct({
  person: Schema.Boolean,
  status: Schema.Literals([401, 403]),
  /** The values of `WWW-Authenticate`. */
  values: Schema.Array(Schema.String)
})

const quoted = (text: string) => `"${text.replaceAll(/["\\]/g, "\\$&")}"`

const parameter = (echoed: ReadonlyArray<string>) =>
  fc
    .tuple(
      fc.constantFrom(
        "error",
        "scope",
        "resource_metadata",
        "realm",
        "error_description",
        "authorization_uri",
        "x*"
      ),
      fc.oneof(
        fc.constantFrom(
          "invalid_token",
          "insufficient_scope",
          "mcp:read mcp:write",
          "https://mcp.example/.well-known/oauth-protected-resource",
          "https://evil.example/metadata",
          "http://169.254.169.254/",
          "/relative"
        ),
        hostileText(echoed)
      ),
      fc.constantFrom("=", " = ", "")
    )
    .map(([name, value, equals]) => `${name}${equals}${quoted(value)}`)

const challenge = (echoed: ReadonlyArray<string>) =>
  fc
    .tuple(
      fc.constantFrom("Bearer", "bearer", "Basic", "DPoP", "Negotiate abc==", "Digest", ""),
      fc.array(parameter(echoed), { maxLength: 6 }),
      fc.constantFrom(", ", ",", " ", " , ,")
    )
    .map(([scheme, parameters, comma]) => `${scheme} ${parameters.join(comma)}`)

/** A server has not seen a token of a person who has not logged in. */
const inputOf = (person: boolean): fc.Arbitrary<typeof Input.Type> => {
  const echoed = person ? [] : [secrets.accessToken]
  return fc.record({
    person: fc.constant(person),
    status: fc.constantFrom(401, 403),
    values: fc.array(sometimesDamaged(challenge(echoed), hostileText(echoed)), { minLength: 1, maxLength: 3 })
  })
}

/** `WWW-Authenticate` of MCP servers (RFC 9110 §11.6.1, RFC 6750 §3, RFC 9728 §5.1). */
export const challenges: Target<typeof Input.Type> = {
  name: "challenges",
  input: Input,
  secrets: Object.values(secrets),
  inputs: fc.oneof(inputOf(true), inputOf(false)),
  open: Effect.succeed(({ person, status, values }) =>
    Effect.gen(function* () {
      parseChallenge(values)
      // What stands in a header has no line ends, and is read as Latin-1.
      const headers = values.map(
        (value) => ["www-authenticate", value.replaceAll(/[^\t\x20-\x7E\x80-\xFF]/g, "")] as const
      )
      const http = scriptedHttp(({ hostname, pathname }) => {
        if (hostname === "mcp.example" && pathname === "/mcp")
          return { status, headers, body: "", breaks: false }
        return pathname === "/token"
          ? json({ access_token: secrets.accessToken, token_type: "Bearer", expires_in: 3600 })
          : { status: 404, headers: [], body: "", breaks: false }
      })
      const outcome = yield* inVirtualTime(Effect.scoped(call(http.client, person)))
      if (http.urls.length > mostRequests)
        return yield* new Broken({ problem: `no storm: ${http.urls.length} requests were sent` })
      return [outcome, http.urls]
    })
  )
}

const mostRequests = 40

const json = (value: object) => ({
  status: 200,
  headers: [["content-type", "application/json"]] as const,
  body: JSON.stringify(value),
  breaks: false
})

const oauth = {
  client_id: "gateway",
  client_secret: secrets.clientSecret,
  token_url: "https://auth.example/token",
  scope: "mcp:read"
}
const loginOauth = {
  ...oauth,
  grant_type: "authorization_code",
  authorization_url: "https://auth.example/authorize"
}

/** Two calls of the MCP server: what is remembered of the first challenge counts for the second. */
const call = Effect.fnUntraced(function* (client: HttpClient.HttpClient, person: boolean) {
  const injector = yield* makeInjector(client)
  const url = new URL("https://mcp.example/mcp")
  const injected = injectBearer(requestFor(person ? loginOauth : oauth), { url })(client)
  const once = injected.post(url).pipe(
    Effect.map((response) => ({ status: response.status })),
    Effect.result,
    Effect.provideService(TokenInjector, injector)
  )
  return [yield* once, yield* once]
})
