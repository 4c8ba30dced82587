import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { createServer } from "node:http"
import { callbackRequestBytes, placeholders } from "../input/CallbackRequests.ts"
import { secretNamed } from "../input/Secrets.ts"
import { Broken, type Target } from "../run/Target.ts"
import { exchange, listen } from "../servers/Loopback.ts"
import { runGateway } from "../servers/RunningGateway.ts"

const secrets = {
  apiKey: secretNamed("api-key"),
  clientSecret: secretNamed("client-secret"),
  code: secretNamed("authorization-code"),
  accessToken: secretNamed("granted-access-token")
}

const Input = Schema.Struct({
  /** Whether the browser has gone on from the page of the link. */
  confirmed: Schema.Boolean,
  /** Whether the token endpoint accepts the code. */
  accepted: Schema.Boolean,
  /** What the browser sends, one byte in each character, with placeholders for what only the login knows. */
  bytes: Schema.String
})

/** What browsers send to the callback listener: redirects after a login, and visits of a login's link. */
export const callbackUrls: Target<typeof Input.Type> = {
  name: "callback-urls",
  input: Input,
  secrets: Object.values(secrets),
  inputs: fc.record({
    confirmed: fc.constantFrom(true, true, true, false),
    accepted: fc.boolean(),
    bytes: callbackRequestBytes(secrets.code)
  }),
  open: Effect.gen(function* () {
    const provider = { accepts: true, exchanged: 0 }
    let person = 0
    const upstream = `http://127.0.0.1:${yield* listen(makeServers(provider))}`
    const port = yield* runGateway(documentFor(upstream))
    return ({ accepted, bytes, confirmed }) =>
      Effect.gen(function* () {
        const login = yield* beginLogin(port, person, confirmed)
        provider.accepts = accepted
        provider.exchanged = 0
        const sent = bytes
          .replaceAll(placeholders.state, login.state)
          .replaceAll(placeholders.linkId, login.linkId)
          .replaceAll(placeholders.confirmation, login.confirmation)
          .replaceAll(placeholders.cookie, login.cookie)
        const answer = yield* exchange(login.port, sent)
        // Whoever has logged in is not asked to again.
        if (provider.exchanged > 0) person = (person + 1) % people
        if (/\r\n\r\n/.test(sent.trimStart()) && !/^HTTP\/1\.1 \d{3} /.test(answer))
          return yield* new Broken({ problem: "an answer: the connection was closed without one" })
        const isBrowser = confirmed && sent.includes(login.cookie)
        if (provider.exchanged > (isBrowser ? 1 : 0))
          return yield* new Broken({
            problem: `a code counts once, in the browser that began the login: it was exchanged ${provider.exchanged} times`
          })
        return [answer]
      })
  })
}

interface Login {
  /** Of the callback listener. */
  readonly port: number
  readonly linkId: string
  readonly cookie: string
  readonly confirmation: string
  readonly state: string
}

/** Asks the gateway for a login, and opens its link as a browser does. */
const beginLogin = Effect.fnUntraced(function* (gatewayPort: number, person: number, confirmed: boolean) {
  const asked = yield* exchange(gatewayPort, mcpRequestOf(person))
  const link = /"url":"http:\/\/127\.0\.0\.1:(\d+)\/login\/([\w-]+)"/.exec(asked)
  const [, port = "", linkId = ""] = link ?? []
  const page = yield* exchange(Number(port), browserRequest("GET", `/login/${linkId}`))
  const cookie = /^set-cookie: ([^;]+)/im.exec(page)?.[1]
  const confirmation = /\?confirm=([\w-]+)/.exec(page)?.[1]
  if (cookie === undefined || confirmation === undefined)
    return yield* new Broken({ problem: `a page of a new link: the gateway answered ${asked}, ${page}` })
  const login = { port: Number(port), linkId, cookie, confirmation }
  if (!confirmed) return { ...login, state: "none" } satisfies Login
  const path = `/login/${linkId}?confirm=${confirmation}`
  const onward = yield* exchange(login.port, browserRequest("POST", path, `Cookie: ${cookie}\r\n`))
  const state = /[?&]state=([^&\s]+)/.exec(onward)?.[1]
  if (state === undefined)
    return yield* new Broken({ problem: `a confirmed page leads on: it was answered ${onward}` })
  return { ...login, state } satisfies Login
})

const browserRequest = (method: string, path: string, fields = ""): string =>
  `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 0\r\n${fields}\r\n`

/** More than log in while one input of a round is made smaller. */
const people = 2000

const keyOf = (person: number): string => `${secrets.apiKey}-${person}`

const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}'

const mcpRequestOf = (person: number): string =>
  [
    "POST /servers/person/mcp HTTP/1.1",
    "Host: 127.0.0.1",
    "Connection: close",
    `Authorization: Bearer ${keyOf(person)}`,
    "Content-Type: application/json",
    "Accept: application/json, text/event-stream",
    "MCP-Protocol-Version: 2025-11-25",
    `Content-Length: ${ping.length}`,
    "",
    ping
  ].join("\r\n")

/** A token endpoint that counts the codes it gets, and an MCP server that wants a token. */
const makeServers = (provider: { readonly accepts: boolean; exchanged: number }) =>
  createServer((request, response) => {
    request.resume().on("end", () => {
      if (request.url !== "/token") return response.writeHead(401, { "www-authenticate": "Bearer" }).end()
      provider.exchanged += 1
      const token = { access_token: secrets.accessToken, token_type: "Bearer", expires_in: 3600 }
      return response
        .writeHead(provider.accepts ? 200 : 400, { "content-type": "application/json" })
        .end(JSON.stringify(provider.accepts ? token : { error: "invalid_grant" }))
    })
  })

const documentFor = (upstream: string) => ({
  gateway: {
    port: 0,
    callback_port: 0,
    api_keys: Array.from({ length: people }, (_, person) => ({
      subject: `person-${person}`,
      key: keyOf(person)
    }))
  },
  servers: [
    {
      server_name: "person",
      config: { url: `${upstream}/mcp` },
      oauth: {
        enabled: true,
        grant_type: "authorization_code",
        client_id: "gateway",
        client_secret: secrets.clientSecret,
        authorization_url: `${upstream}/authorize`,
        token_url: `${upstream}/token`,
        enforce_https: false
      }
    }
  ]
})
