import { assert } from "@effect/vitest"
import { AuthorizationServer } from "@secure-mcp/authorization-server"
import { freePort } from "@secure-mcp/testing"
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { initialize, post, request } from "../cli/mcpMessages.ts"
import { startGateway } from "../http/RunningGateway.ts"
import { BrowserCookies, consent, type Page, walk } from "../login/Person.ts"
import { personalEntry, startProtectedServer } from "../login/ProtectedServer.ts"

/** A token of the company for somebody, as an MCP client gets it. */
export interface Colleague {
  readonly headers: Readonly<Record<string, string>>
}

const mcpClientCallback = "http://127.0.0.1/callback"

/** Our client at the company, where it is configured. */
export const companyClient = { client_id: "the-gateway", client_secret: "the-secret-of-the-gateway" }

/**
 * A company with its login, and an MCP server of others with a login of its own, each on a certified OpenID provider. The gateway stands
 * between them; its people log in at the company by themselves, and at the server through it.
 */
export const startCompanyPeople = Effect.fnUntraced(function* ({
  callers = {},
  gateway: settings = {},
  issuers,
  login,
  place,
  servers = ["wiki"],
  store = { type: "memory" }
}: {
  readonly callers?: object
  readonly gateway?: object
  /** The issuers of `callers`. Default: the company with JWT access tokens. */
  readonly issuers?: (issuer: string) => object
  /** The `login` of the company in the configuration. */
  readonly login?: object | false
  /** Where browsers and clients find the gateway, if it has several instances behind a balancer. */
  readonly place?: { readonly publicUrl: string; readonly ports: ReadonlyArray<number> }
  readonly servers?: ReadonlyArray<string>
  readonly store?: object
} = {}) {
  // The company runs on the clock of the machine.
  yield* TestClock.setTime(Date.now())
  const port = yield* freePort
  const { ports, publicUrl } = place ?? { publicUrl: `http://127.0.0.1:${port}`, ports: [port] }
  const resourceOf = (serverName: string) => `${publicUrl}/servers/${serverName}/mcp`
  const company = yield* AuthorizationServer.make({
    clients: [
      {
        ...companyClient,
        redirect_uris: [`${publicUrl}/me/login/callback`],
        grant_types: ["authorization_code"],
        response_types: ["code"]
      },
      {
        client_id: "an-mcp-client",
        token_endpoint_auth_method: "none",
        application_type: "native",
        redirect_uris: [mcpClientCallback],
        grant_types: ["authorization_code"],
        response_types: ["code"]
      }
    ],
    resources: [
      ...servers.map((name) => ({
        identifier: resourceOf(name),
        scopes: ["mcp"],
        accessTokenFormat: "jwt" as const
      })),
      { identifier: publicUrl, scopes: ["operator"], accessTokenFormat: "jwt" }
    ]
  })
  const remote = yield* startProtectedServer({ pointer: "well-known" })
  const document = {
    store,
    gateway: {
      public_url: publicUrl,
      callers: {
        ...(issuers?.(company.issuer) ?? {
          jwt: [
            {
              issuer: company.issuer,
              required_scopes: ["mcp"],
              ...(login === undefined ? {} : { login })
            }
          ]
        }),
        ...callers
      },
      ...settings
    },
    servers: servers.map((name) => personalEntry(remote.url, {}, name))
  }
  const [gateway, ...others] = yield* Effect.forEach(ports, (port) =>
    startGateway({ ...document, gateway: { ...document.gateway, port } })
  )
  assert(gateway !== undefined)

  /** An MCP client of somebody, which has logged in at the company. */
  const colleague = Effect.fnUntraced(function* (name: string, serverName = "wiki") {
    const verifier = "v".repeat(43)
    const parameters = {
      client_id: "an-mcp-client",
      redirect_uri: mcpClientCallback,
      resource: resourceOf(serverName)
    }
    const query = new URLSearchParams({
      ...parameters,
      response_type: "code",
      scope: "mcp",
      state: "a-state",
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256"
    })
    const back = yield* consent(`${company.authorizationEndpoint}?${query}`, name)
    const { text } = yield* request(company.tokenEndpoint, {
      method: "POST",
      body: new URLSearchParams({
        ...parameters,
        grant_type: "authorization_code",
        code: new URL(back).searchParams.get("code") ?? "",
        code_verifier: verifier
      })
    })
    return { headers: { authorization: `Bearer ${JSON.parse(text).access_token}` } } satisfies Colleague
  })

  /** What the gateway answers to a client that begins, and the link to a login if it is given one. */
  const call = ({ headers }: Colleague, serverName = "wiki", { url } = gateway) =>
    Effect.map(post(url, serverName, initialize, headers), ({ status, text }) => ({
      status,
      text,
      link: /"(https?:[^"]*\/(?:me\/links|login)\/[^"]*)"/.exec(text)?.[1]
    }))

  /** A browser, in which somebody goes wherever they are led. */
  const browser = () => {
    const cookies = new BrowserCookies()
    const ask = (url: string, init: RequestInit = {}) =>
      Effect.promise(async () => {
        const answer = await fetch(url, {
          redirect: "manual",
          ...init,
          headers: { ...cookies.header(url), ...Object.fromEntries(new Headers(init.headers)) }
        })
        cookies.take(url, answer)
        return {
          status: answer.status,
          text: await answer.text(),
          headers: answer.headers,
          location: answer.headers.get("location")
        }
      })
    return {
      cookies,
      ask,
      /** Opens an address as this person, through all forms, up to a page without one. */
      goAs: (name: string, url: string, until?: (next: URL) => boolean): Effect.Effect<Page> =>
        walk(url, name, { cookies, ...(until === undefined ? {} : { until }) }),
      /** Opens `/me`, after a login at the company. */
      openMe: (name: string) =>
        Effect.andThen(
          walk(`${publicUrl}/me/login`, name, { cookies, until: ({ pathname }) => pathname === "/me" }),
          ask(`${publicUrl}/me`)
        ),
      /** Sends a form of a page, with what is hidden in it. */
      send: (path: string, page: string, fields: Readonly<Record<string, string>> = {}, headers = {}) =>
        ask(`${publicUrl}${path}`, {
          method: "POST",
          headers,
          body: new URLSearchParams({ form_token: formTokenOf(page), ...fields })
        })
    }
  }
  return { browser, call, colleague, company, gateway, others, publicUrl, remote }
})

export const formTokenOf = (page: string): string =>
  /name="form_token" value="([^"]*)"/.exec(page)?.[1] ?? "(none)"
