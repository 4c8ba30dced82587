import * as Effect from "effect/Effect"
import { createHmac, generateKeyPairSync } from "node:crypto"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { call, type CallOptions } from "../clients/McpCall.ts"
import { startGateway } from "../process/GatewayProcess.ts"
import { encode, type JwtIssuer, publicUrl, startJwtIssuer } from "../servers/JwtIssuer.ts"
import { answerJson, bodyOf, listen } from "../servers/LoopbackServer.ts"

const apiKey = "the-key-of-a-machine"

const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "attack", version: "1" } }
})

/** A server that begins a session with each `initialize`, and remembers what arrives. */
const startSessions = Effect.gen(function* () {
  const arrived: Array<string> = []
  const state = { sessions: 0 }
  const server = yield* listen((request, response) => {
    const session = [request.headers["mcp-session-id"]].flat()[0]
    arrived.push(`${request.method} ${session ?? "without a session"}`)
    void bodyOf(request).then((body) => {
      const id = body.includes('"initialize"') ? `session-${(state.sessions += 1)}` : session
      const result = { protocolVersion: "2025-11-25", capabilities: {}, serverInfo: {} }
      return answerJson(
        response,
        200,
        { jsonrpc: "2.0", id: 1, result },
        id === undefined ? {} : { "mcp-session-id": id }
      )
    })
  })
  return { arrived, url: `${server.url}/mcp` }
})

/** A gateway with two servers and the people of two companies, which have the same names. */
const startScene = Effect.gen(function* () {
  const [company, other] = [yield* startJwtIssuer, yield* startJwtIssuer]
  const { arrived, url } = yield* startSessions
  const gateway = yield* startGateway({
    gateway: {
      api_keys: [apiKey],
      public_url: publicUrl,
      callers: { jwt: [{ issuer: company.url }, { issuer: other.url }] }
    },
    servers: ["notes", "mail"].map((name) => ({ server_name: name, config: { url } }))
  })
  return { arrived, company, other, urlOf: (name: string) => `${gateway.url}/servers/${name}/mcp` }
})

export const foreignPersons: Attack = {
  name: "foreign-persons",
  tries:
    "another person's Mcp-Session-Id, with a token of one's own, of the same company and of the same name at another one; through: the server gets it, or the answer is not 404",
  run: () =>
    Effect.gen(function* () {
      const tally = makeTally()
      const { arrived, company, other, urlOf } = yield* startScene
      const url = urlOf("notes")
      yield* Effect.promise(async () => {
        const own = company.tokenOf("ada", "notes")
        const begun = await call(url, { key: own, body: initialize })
        const session = [begun.headers["mcp-session-id"]].flat()[0] ?? ""
        tally.expect(session !== "", `no session began: HTTP ${begun.status}`)
        arrived.length = 0
        const headers = { "mcp-session-id": session }
        const thieves = [company.tokenOf("mallory", "notes"), other.tokenOf("ada", "notes"), apiKey]
        for (const key of thieves)
          for (const method of ["POST", "GET", "DELETE", "POST"]) {
            const { status } = await call(url, { key, headers, method, timeout: 3000 })
            tally.expect(status === 404, `${method} with another person's session: answered with ${status}`)
          }
        tally.expect(
          arrived.length === 0,
          `the server got another person's session (${arrived.length} times)`
        )
        const renewed = company.signed(company.claimsOf("ada", "notes", { jti: "renewed" }))
        for (const key of [own, renewed]) {
          const { status } = await call(url, { key, headers })
          tally.expect(status === 200, `the person's own session is refused with ${status}`)
        }
      })
      return tally.outcome()
    })
}

/** Tokens for `notes` that nobody may be served with, by what is wrong. */
const badTokens = (company: JwtIssuer): Readonly<Record<string, string>> => {
  const { claimsOf, publicKey, signed } = company
  const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const claims = claimsOf("ada", "notes")
  const good = signed(claims)
  const [, , signature = ""] = good.split(".")
  const unsigned = (header: object) => `${encode({ typ: "at+jwt", ...header })}.${encode(claims)}`
  const withSecret = (secret: string | Buffer) => {
    const text = unsigned({ alg: "HS256", kid: "key" })
    return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`
  }
  const now = Math.floor(Date.now() / 1000)
  const other = (more: object) => signed(claimsOf("ada", "notes", more))
  return {
    "another server's": company.tokenOf("ada", "mail"),
    "an unknown issuer's": other({ iss: "https://issuer.example.com" }),
    "an issuer's with a slash more": other({ iss: `${company.url}/` }),
    "an audience of another gateway": other({ aud: "https://other.example.com/servers/notes/mcp" }),
    "an audience that begins the same": other({ aud: publicUrl }),
    "no audience": other({ aud: undefined }),
    "an ended token": other({ exp: now - 3600 }),
    "a token without an end": other({ exp: undefined }),
    "a token of the future": other({ nbf: now + 3600 }),
    "nobody's": other({ sub: undefined }),
    "an ID token": signed(claimsOf("ada", "notes", { at_hash: "x" }), { typ: "JWT" }),
    "a logout token": signed(claims, { typ: "logout+jwt" }),
    "alg none": `${unsigned({ alg: "none" })}.`,
    "alg None": `${unsigned({ alg: "None" })}.`,
    "alg none with a signature": `${unsigned({ alg: "none", kid: "key" })}.${signature}`,
    "HS256 with the public key as PEM": withSecret(publicKey.export({ type: "spki", format: "pem" })),
    "HS256 with the public key as DER": withSecret(publicKey.export({ type: "spki", format: "der" })),
    "HS256 with the public key as JWK": withSecret(JSON.stringify(publicKey.export({ format: "jwk" }))),
    "HS256 with nothing": withSecret(""),
    "ES384 with an ES256 key": signed(claims, { alg: "ES384" }),
    "RS256 with an ES256 key": signed(claims, { alg: "RS256" }),
    "a stranger's key": signed(claims, {}, stranger.privateKey),
    "a stranger's key, which comes along": signed(
      claims,
      { kid: undefined, jwk: stranger.publicKey.export({ format: "jwk" }) },
      stranger.privateKey
    ),
    "a stranger's key at an address": signed(
      claims,
      { kid: "other", jku: "http://127.0.0.1:1/keys" },
      stranger.privateKey
    ),
    "a demand that nobody knows": signed(claims, { crit: ["x"], x: 1 }),
    "a signature of zeros": `${good.slice(0, -signature.length)}${encode("\0".repeat(64))}`,
    "no signature": good.slice(0, -signature.length),
    "claims of another": `${good.split(".")[0]}.${encode(claimsOf("root", "notes"))}.${signature}`,
    "a token bound to a key": other({ cnf: { jkt: "x" } })
  }
}

export const foreignTokens: Attack = {
  name: "foreign-tokens",
  tries:
    "tokens for another server, of another issuer, ended, unsigned, signed with other algorithms and keys, and bad ones next to a good API key; through: the answer is not 401, or the server gets the request",
  run: () =>
    Effect.gen(function* () {
      const tally = makeTally()
      const { arrived, company, urlOf } = yield* startScene
      const url = urlOf("notes")
      yield* Effect.promise(async () => {
        const good = company.tokenOf("ada", "notes")
        const serve = async (what: string, options: CallOptions, expected: number, at = url) => {
          const { status } = await call(at, options)
          tally.expect(status === expected, `${what}: answered with ${status}`)
        }
        await serve("a good token", { key: good }, 200)
        await serve("a good API key", { key: apiKey }, 200)
        arrived.length = 0
        const bad = badTokens(company)
        for (const [what, token] of Object.entries(bad)) await serve(what, { key: token }, 401)
        // It was remembered as good, but for one server only.
        await serve("a token replayed at another server", { key: good }, 401, urlOf("mail"))
        const wrong = bad["a stranger's key"] ?? ""
        await serve(
          "a bad token with a good API key in another header",
          {
            key: wrong,
            headers: { "x-api-key": apiKey, "proxy-authorization": `Bearer ${apiKey}` }
          },
          401
        )
        for (const pair of [
          [wrong, apiKey],
          [apiKey, wrong],
          [wrong, good],
          [good, wrong]
        ])
          await serve(
            "two credentials in one header",
            { headers: { authorization: pair.map((one) => `Bearer ${one}`).join(", ") } },
            401
          )
        for (const name of ["access_token", "api_key"])
          await serve(
            "a good token in the URL",
            {},
            401,
            `${url}?${name}=${name === "api_key" ? apiKey : good}`
          )
        tally.expect(arrived.length === 0, `the server got ${arrived.length} requests`)
        await serve("a good token afterwards", { key: good }, 200)
      })
      return tally.outcome()
    })
}
