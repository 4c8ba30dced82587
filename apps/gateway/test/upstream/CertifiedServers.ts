import { EchoServer } from "@secure-mcp/echo-server"
import {
  Answer,
  type CertificateOptions,
  Certificates,
  startNginx,
  StubAuthorizationServer
} from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as TestClock from "effect/testing/TestClock"
import { X509Certificate } from "node:crypto"
import { setImmediate } from "node:timers/promises"
import { failureIn, ping, send } from "../http/RawHttp.ts"
import { oauthAt, startGateway } from "../http/RunningGateway.ts"

/** An authority, files of client certificates, and a clock that is within the time of those that are good. */
export const makeCertificates = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped()
  const authority = yield* Certificates.makeAuthority("the tests")
  const stranger = yield* Certificates.makeAuthority("nobody")
  yield* TestClock.setTime(Date.parse("2026-01-01"))

  const issueFrom = (from: typeof authority) =>
    Effect.fnUntraced(function* (name: string, options?: CertificateOptions) {
      const issued = yield* from.issueClient(name, options)
      const { certificatePath, privateKeyPath } = yield* issued.writeTo(directory, name)
      return {
        ...issued,
        keys: { use_mtls: true, client_cert_path: certificatePath, client_key_path: privateKeyPath }
      }
    })
  return {
    directory,
    authority,
    stranger,
    issue: issueFrom(authority),
    issueForeign: issueFrom(stranger),
    caBundlePath: yield* authority.writeTo(directory, "ca")
  }
})

export type Authority = Effect.Success<ReturnType<typeof Certificates.makeAuthority>>

/** A token endpoint and an MCP server, each behind Node's own TLS. */
export const startNodeServers = Effect.fnUntraced(function* (
  authority: Authority,
  options: {
    readonly crl?: string
    /** Of the server's own certificate. */
    readonly certificate?: CertificateOptions
    /** Asks for no client certificate. */
    readonly open?: boolean
  } = {}
) {
  const { certificatePem: cert, privateKeyPem: key } = yield* authority.issueServer(options.certificate)
  const tls = {
    cert,
    key,
    ...(options.open === true ? {} : { ca: authority.certificatePem, requireClientCertificate: true }),
    ...(options.crl === undefined ? {} : { crl: options.crl })
  }
  const server = yield* StubAuthorizationServer.make({ tls })
  yield* server.always("/token", Answer.token())
  yield* server.always("/mcp", Answer.json({ jsonrpc: "2.0", id: 1, result: {} }))
  return {
    tokenUrl: server.endpoint("/token"),
    mcpUrl: server.endpoint("/mcp"),
    /** The paths of what was let in. */
    letIn: Effect.map(server.requests, (requests) => requests.map(({ path }) => path))
  }
})

/** A token endpoint and an MCP server behind nginx, which lets in only who has a certificate of the authority. */
export const startNginxServers = Effect.fnUntraced(function* (
  executable: string,
  authority: Authority,
  options: { readonly crl?: string } = {}
) {
  const tokens = yield* StubAuthorizationServer.make()
  let issued = 0
  yield* tokens.always(
    "/token",
    Answer.respondWith(() => Effect.sync(() => Answer.token({ access_token: `token-${(issued += 1)}` })))
  )
  const echo = yield* EchoServer.make()
  const mcp = yield* StubAuthorizationServer.make()
  yield* mcp.always("/mcp", Answer.json({ jsonrpc: "2.0", id: 1, result: {} }))
  const { certificatePem: cert, privateKeyPem: key } = yield* authority.issueServer()
  const { url } = yield* startNginx({
    executable,
    tls: { cert, key },
    files: { "clients.crt": authority.certificatePem, "revoked.crl": options.crl ?? "" },
    server: `
      ssl_verify_client on;
      ssl_client_certificate clients.crt;
      ${options.crl === undefined ? "" : "ssl_crl revoked.crl;"}
      proxy_set_header X-Client-Certificate $ssl_client_escaped_cert;
      location /token { proxy_pass ${tokens.url}; }
      location /mcp { proxy_pass ${mcp.url}; }
      location /echo { proxy_pass ${echo.url}; proxy_http_version 1.1; proxy_buffering off; }`
  })
  const thumbprints = (server: StubAuthorizationServer) =>
    Effect.map(server.requests, (requests) => requests.map(({ headers }) => thumbprintOf(headers)))
  return {
    tokenUrl: `${url}/token`,
    mcpUrl: `${url}/mcp`,
    echoUrl: `${url}/echo`,
    echo,
    /** Of the certificates that the requests came with. */
    shownToTokenEndpoint: thumbprints(tokens),
    shownToMcpServer: thumbprints(mcp),
    /** The tokens that the MCP server was given. */
    tokens: Effect.map(mcp.requests, (requests) => requests.map(({ headers }) => headers.authorization))
  }
})

const thumbprintOf = (headers: Readonly<Record<string, unknown>>): string =>
  Buffer.from(
    new X509Certificate(
      decodeURIComponent(String(headers["x-client-certificate"]))
    ).fingerprint256.replaceAll(":", ""),
    "hex"
  ).toString("base64url")

/** A gateway with one server, whose retries take no time. */
export const startGatewayFor = Effect.fnUntraced(function* (
  { mcpUrl, tokenUrl }: { readonly mcpUrl: string; readonly tokenUrl: string },
  keys: object
) {
  const gateway = yield* startGateway({
    gateway: { auth_timeout_seconds: 3600 },
    servers: [
      {
        server_name: "remote",
        config: { url: mcpUrl },
        oauth: { ...oauthAt(tokenUrl), enforce_https: true, ...keys }
      }
    ]
  })
  const ask = send(gateway.mcp("remote"), ping)
  return {
    ...gateway,
    ask,
    /** The reason and the words of a failure, without what comes before the reason in every one of them. */
    failure: Effect.map(settle(ask), (answer) => {
      const { data, message } = failureIn(answer).error
      return { reason: data.reason, message: message.replace(/ \[correlation id .*\]$/, "") }
    })
  }
})

/** Lets the time of the test pass until this is done, for retries; slowly, so that tokens do not expire meanwhile. */
const settle = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect)
  const tick = Effect.andThen(TestClock.adjust("1 second"), turns(20))
  return yield* Effect.raceFirst(Fiber.join(fiber), Effect.forever(tick))
})

/** Lets the time of the test pass until the gateway uses what certificate files hold now. */
export const untilReloaded = (logs: ReadonlyArray<string>) => {
  const reloads = () => logs.filter((line) => line.includes("are used from now on")).length
  const before = reloads()
  return Effect.andThen(
    TestClock.adjust("10 seconds"),
    turns(200, () => reloads() > before)
  ).pipe(Effect.repeat({ until: () => reloads() > before }), Effect.asVoid)
}

/** Leaves the event loop that many turns for what takes no time of the test, unless it is done earlier. */
const turns = (count: number, isDone = () => false) =>
  Effect.promise(async () => {
    for (let turn = 0; turn < count && !isDone(); turn++) await setImmediate()
  })
