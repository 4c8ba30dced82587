import { once } from "node:events"
import { createServer } from "node:http"
import { exportJWK, generateKeyPair, SignJWT } from "jose"

/** What the tokens are for. */
export const resource = "https://gateway.example.com/servers/remote/mcp"

/** Distinct tokens, used in turn: more than any contender remembers, so that each is new whenever it comes. */
const pool = 5000
/** What remembers tokens remembers so many. */
export const remembered = 1000

/** An issuer of ES256 access tokens, with its metadata and keys over HTTP, and tokens of as many people. */
export const startIssuer = async (share: number) => {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true })
  const key = { ...(await exportJWK(publicKey)), kid: "key", alg: "ES256", use: "sig" }
  const server = createServer((request, response) => {
    const document = request.url === "/keys" ? { keys: [key] } : { issuer, jwks_uri: `${issuer}/keys` }
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(document))
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("The issuer listens on no port")
  const issuer = `http://127.0.0.1:${address.port}`
  const sign = (number: number) =>
    new SignJWT({ scope: "mcp", groups: ["engineering"], client_id: "client" })
      .setProtectedHeader({ alg: "ES256", kid: "key", typ: "at+jwt" })
      .setIssuer(issuer)
      .setAudience(resource)
      .setSubject(`person-${number}@example.com`)
      .setIssuedAt()
      .setExpirationTime("1 hour")
      .sign(privateKey)
  const count = Math.max(remembered + 100, pool * share)
  const tokens = await Promise.all(Array.from({ length: count }, (_, number) => sign(number)))
  const state = { next: 0 }
  return {
    issuer,
    keysUrl: `${issuer}/keys`,
    /** Always the same one. */
    seenToken: await sign(-1),
    /** One that did not come lately. */
    newToken: (): string => {
      state.next = (state.next + 1) % tokens.length
      return tokens[state.next] ?? ""
    }
  }
}
