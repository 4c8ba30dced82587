import * as Effect from "effect/Effect"
import { gzipSync } from "node:zlib"
import { Answer } from "./Answer.ts"
import type { RecordedRequest } from "./RecordedRequest.ts"

/** The form of a token endpoint's refusal. */
export interface Refusal {
  /** The OAuth error code; undefined leaves the code out. Default `invalid_grant`. */
  readonly error?: string | undefined
  readonly description?: string
  /** Default 400. */
  readonly status?: number
}

const refusal = (options: Refusal = {}): Answer =>
  Answer.json(
    {
      error: "error" in options ? options.error : "invalid_grant",
      error_description: options.description
    },
    { status: options.status ?? 400 }
  )

/**
 * A token endpoint that refuses every refresh token, in the words of this provider, and gives a token with a refresh
 * token for every other grant.
 */
const refusesRefresh = (options?: Refusal): Answer =>
  Answer.respondWith(({ form }) =>
    Effect.succeed(
      form.get("grant_type") === "refresh_token"
        ? refusal(options)
        : Answer.token({ refresh_token: "stub-refresh-token" })
    )
  )

/**
 * A token endpoint whose refresh tokens can be used once. A second use of one ends the whole grant, as RFC 9700
 * §4.14.2 wants it: from then on every refresh token of that grant is refused.
 */
const rotatesRefreshTokens = Effect.sync((): Answer => {
  const grants = new Map<string, { current: number; ended: boolean }>()
  const give = (grant: string, number: number) =>
    Answer.token({
      access_token: `access-${grant}-${number}`,
      refresh_token: `refresh-${grant}-${number}`
    })
  return Answer.respondWith(({ form }) =>
    Effect.sync(() => {
      if (form.get("grant_type") !== "refresh_token") {
        const grant = String(grants.size + 1)
        grants.set(grant, { current: 1, ended: false })
        return give(grant, 1)
      }
      const [, name = "", number = ""] = /^refresh-(\d+)-(\d+)$/.exec(form.get("refresh_token") ?? "") ?? []
      const grant = grants.get(name)
      if (grant === undefined || grant.ended) return refusal()
      if (Number(number) !== grant.current) {
        grant.ended = true
        return refusal({ description: "The refresh token was used before" })
      }
      grant.current += 1
      return give(name, grant.current)
    })
  )
})

/** A token endpoint that repeats the scope it was asked for, with another separator than the space (GitHub, Slack). */
const separatesScopeBy = (separator: string): Answer =>
  Answer.respondWith(({ form }) =>
    Effect.succeed(Answer.token({ scope: (form.get("scope") ?? "").split(" ").join(separator) }))
  )

/** Which fields a registration answers with. */
export interface RegistrationOptions {
  /** Fields of the answer that are left out, such as `token_endpoint_auth_method`. */
  readonly omit?: ReadonlyArray<string>
  /** Fields that are added or replaced. */
  readonly fields?: Readonly<Record<string, unknown>>
}

/**
 * A registration endpoint (RFC 7591) that repeats the metadata it was sent and gives each client an id of its own:
 * `client-1`, `client-2` and so on.
 */
const registersClients = ({ fields, omit = [] }: RegistrationOptions = {}) =>
  Effect.sync((): Answer => {
    let count = 0
    return Answer.respondWith((request) =>
      Effect.sync(() => {
        count += 1
        const answer = { ...JSON.parse(request.body), client_id: `client-${count}`, ...fields }
        return Answer.json(
          Object.fromEntries(Object.entries(answer).filter(([name]) => !omit.includes(name))),
          { status: 201 }
        )
      })
    )
  })

/** What comes back from an authorize page. */
export interface AuthorizeOptions {
  /** Client ids that the page refuses: it shows an error and does not redirect. */
  readonly unknownClients?: ReadonlyArray<string>
  /** The `iss` of the answer (RFC 9207); without it there is none. */
  readonly issuer?: string
  /** The error that the redirect carries instead of a code. */
  readonly error?: string
}

/** An authorize page whose person agrees at once: back to `redirect_uri` with `state` and a code. */
const authorizes = ({ error, issuer, unknownClients = [] }: AuthorizeOptions = {}): Answer =>
  Answer.respondWith((request) =>
    Effect.sync(() => {
      const asked = queryOf(request)
      const redirectUri = asked.get("redirect_uri")
      if (redirectUri === null || unknownClients.includes(asked.get("client_id") ?? "")) {
        return Answer.text("<h1>Unknown client</h1>", { contentType: "text/html", status: 400 })
      }
      const back = new URL(redirectUri)
      back.searchParams.set(error === undefined ? "code" : "error", error ?? "stub-code")
      for (const [name, value] of Object.entries({ state: asked.get("state"), iss: issuer })) {
        if (typeof value === "string") back.searchParams.set(name, value)
      }
      return Answer.redirect(back.href)
    })
  )

const queryOf = ({ rawUrl }: RecordedRequest): URLSearchParams => new URL(rawUrl, "http://stub").searchParams

/** The same answer in gzip, although it was not requested. */
const compresses = (body: unknown): Answer =>
  Answer.bytes(gzipSync(JSON.stringify(body)), {
    headers: { "content-encoding": "gzip", "content-type": "application/json" }
  })

/** Which requests of an MCP server need a token, and how it refuses the others. */
export interface ResourceOptions {
  /** Methods of JSON-RPC that it answers without a token. Default: none. */
  readonly open?: (method: string) => boolean
  /** The access tokens that it accepts. Default: all. */
  readonly takes?: (accessToken: string) => boolean
  /** The status of a refusal. Default 401. */
  readonly status?: number
  /** The `WWW-Authenticate` of a refusal. Default: `Bearer error="invalid_token"`. */
  readonly challenge?: string
}

/** An MCP server that answers with the access token it was sent, and that may be open for some messages. */
const protectsResource = ({
  challenge = 'Bearer error="invalid_token"',
  open = () => false,
  status = 401,
  takes = () => true
}: ResourceOptions = {}): Answer =>
  Answer.respondWith(({ body, headers }) =>
    Effect.sync(() => {
      const { id = null, method = "" } = JSON.parse(body === "" ? "{}" : body)
      const accessToken = headers["authorization"]?.replace("Bearer ", "")
      const isTaken = accessToken === undefined ? open(method) : takes(accessToken)
      return isTaken
        ? Answer.json({ jsonrpc: "2.0", id, result: { token: accessToken ?? "none" } })
        : Answer.json({ error: "invalid_token" }, { status, headers: { "www-authenticate": challenge } })
    })
  )

/**
 * An endpoint that refuses every request and repeats a part of what it was sent, as Stripe does: in another case, its
 * first twelve characters, and masked between the first eight and the last four.
 *
 * @param secretOf what it repeats of a request
 */
const repeatsInPart = (secretOf: (request: RecordedRequest) => string): Answer =>
  Answer.respondWith((request) => {
    const secret = secretOf(request)
    const masked = `${secret.slice(0, 8)}****${secret.slice(-4)}`
    const words = `${secret.toUpperCase()}, or ${secret.slice(0, 12)}, or ${masked}`
    return Effect.succeed(refusal({ error: "invalid_request", description: `Invalid key ${words}` }))
  })

/** How real providers deviate from the specifications: answers for `enqueue` and `always`. */
export const ProviderBehaviour = {
  refusesRefresh,
  rotatesRefreshTokens,
  separatesScopeBy,
  registersClients,
  authorizes,
  compresses,
  protectsResource,
  repeatsInPart
}
