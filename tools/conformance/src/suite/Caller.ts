import * as Effect from "effect/Effect"
import { generateKeyPairSync, sign } from "node:crypto"
import { createServer, request as send, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"

/** Seconds that the caller's token lives: longer than all scenarios take. */
const lifetime = 3600

/** An issuer of JWT access tokens, with its metadata and its key, until the scope closes. */
export const startIssuer = Effect.gen(function* () {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const key = { ...publicKey.export({ format: "jwk" }), kid: "key", alg: "ES256", use: "sig" }
  const issuer: string = yield* listen((request, response) => {
    const documents: Readonly<Record<string, object>> = {
      "/.well-known/oauth-authorization-server": { issuer, jwks_uri: `${issuer}/keys` },
      "/keys": { keys: [key] }
    }
    const document = documents[request.url ?? ""]
    response.writeHead(document === undefined ? 404 : 200, { "content-type": "application/json" })
    response.end(JSON.stringify(document))
  })
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url")
  const tokenFor = (audience: string): string => {
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: issuer, sub: "conformance", aud: audience, iat: now, exp: now + lifetime }
    const signed = `${encode({ alg: "ES256", kid: "key", typ: "at+jwt" })}.${encode(claims)}`
    const signature = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" })
    return `${signed}.${signature.toString("base64url")}`
  }
  return { issuer, tokenFor }
})

/**
 * A way to a server that adds a token to each request and changes nothing else, because the suite can be given no header.
 * Gives its URL.
 */
export const startWithToken = (url: string, token: string) =>
  Effect.map(
    listen((request, response) => {
      const { method, rawHeaders } = request
      const headers = [...rawHeaders, "Authorization", `Bearer ${token}`]
      const forwarded = send(url, { method: method ?? "GET", headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
        answer.pipe(response)
        answer.once("error", () => response.destroy())
      })
      forwarded.once("error", () => response.destroy())
      response.once("close", () => forwarded.destroy())
      request.pipe(forwarded)
    }),
    (origin) => origin + new URL(url).pathname
  )

/** Gives the origin of a server on a free port. */
const listen = (listener: RequestListener) =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer(listener)
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  ).pipe(Effect.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`))
