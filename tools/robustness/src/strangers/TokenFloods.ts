import * as Effect from "effect/Effect"
import { Agent } from "node:http"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { call } from "../clients/McpCall.ts"
import { startGateway } from "../process/GatewayProcess.ts"
import { publicUrl, startJwtIssuer } from "../servers/JwtIssuer.ts"
import { answerJson, bodyOf, listen } from "../servers/LoopbackServer.ts"
import { tokenOf } from "../servers/McpServer.ts"

/** Requests under way at the same time. */
const width = 32

/** Does something for each number below a count, so many at a time. */
const forEachOf = async (count: number, one: (number: number) => Promise<void>): Promise<void> => {
  const next = { number: 0 }
  const work = async () => {
    while (next.number < count) await one(next.number++)
  }
  await Promise.all(Array.from({ length: width }, work))
}

/** A server that answers with the token it was sent. */
const startTeller = listen((request, response) => {
  void bodyOf(request).then(
    () => answerJson(response, 200, { jsonrpc: "2.0", id: 1, result: { token: tokenOf(request) } }),
    () => response.destroy()
  )
})

export const unknownKeys: Attack = {
  name: "unknown-keys",
  tries:
    "5,000 tokens (--short: 1,000), each with a `kid` of its own that the issuer does not have; through: the issuer is asked more than once for them, an answer is not 401, or an honest caller is not served",
  run: ({ isShort }) =>
    Effect.gen(function* () {
      const tally = makeTally()
      const issuer = yield* startJwtIssuer
      const mcp = yield* startTeller
      const gateway = yield* startGateway({
        gateway: { public_url: publicUrl, callers: { jwt: [{ issuer: issuer.url }] } },
        servers: [{ server_name: "notes", config: { url: `${mcp.url}/mcp` } }]
      })
      const url = `${gateway.url}/servers/notes/mcp`
      const agent = new Agent({ keepAlive: true, maxSockets: width })
      yield* Effect.promise(async () => {
        const honest = issuer.tokenOf("ada", "notes")
        const first = await call(url, { key: honest, agent })
        tally.expect(first.status === 200, `an honest caller is refused with ${first.status}`)
        const begun = performance.now()
        const before = issuer.state.keyRequests
        await forEachOf(isShort ? 1000 : 5000, async (number) => {
          const token = issuer.signed(issuer.claimsOf("mallory", "notes"), { kid: `key-${number}` })
          const { status } = await call(url, { key: token, agent })
          tally.expect(status === 401, `an unknown key: answered with ${status}`)
        })
        const minutes = (performance.now() - begun) / 60_000
        const asked = issuer.state.keyRequests - before
        tally.expect(asked <= 1 + Math.floor(minutes), `the issuer was asked ${asked} times for its keys`)
        for (const token of [honest, issuer.tokenOf("bob", "notes")]) {
          const { status } = await call(url, { key: token, agent })
          tally.expect(status === 200, `an honest caller is refused with ${status} afterwards`)
        }
        tally.figure("asked the issuer", asked)
        agent.destroy()
      })
      return tally.outcome()
    })
}

/** MiB that the gateway's objects may grow by: 10,000 exchanged tokens are in memory at most, each with 1 KiB and its key. */
const most = 50
const remembered = 500

export const manyPersons: Attack = {
  name: "many-persons",
  tries: `10,000 people (--short: 1,000), two tokens each, whose tokens are exchanged, with ${remembered} remembered tokens; through: somebody acts as another, is not served, or objects grow by more than ${most} MiB`,
  run: ({ isShort }) =>
    Effect.gen(function* () {
      const tally = makeTally()
      const issuer = yield* startJwtIssuer
      const mcp = yield* startTeller
      const gateway = yield* startGateway({
        gateway: {
          public_url: publicUrl,
          callers: { jwt: [{ issuer: issuer.url }], remembered_tokens: remembered }
        },
        store: { type: "memory" },
        servers: [
          {
            server_name: "notes",
            config: { url: `${mcp.url}/mcp` },
            oauth: {
              enabled: true,
              grant_type: "token_exchange",
              token_url: issuer.tokenUrl,
              client_id: "gateway",
              client_secret: "the-secret-of-the-client",
              subject_token: "${caller:token}",
              subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
              enforce_https: false
            }
          }
        ]
      })
      const url = `${gateway.url}/servers/notes/mcp`
      const agent = new Agent({ keepAlive: true, maxSockets: width })
      const persons = isShort ? 1000 : 10_000
      const ask = async (number: number, jti: number) => {
        const name = `person-${number}`
        const token = issuer.signed(issuer.claimsOf(name, "notes", { jti: String(jti) }))
        const { body, status } = await call(url, { key: token, agent, timeout: 60_000 })
        tally.expect(status === 200, `a person is answered with ${status}`)
        if (status === 200)
          tally.expect(body.includes(`"token":"for-${name}"`), `${name} was served as another: ${body}`)
      }
      yield* Effect.promise(async () => {
        // Loads the modules, and lets V8 compile what is hot.
        await forEachOf(200, (number) => ask(number, 0))
        const before = await gateway.figuresAtRest()
        await gateway.beginMeasurement()
        const begun = performance.now()
        await forEachOf(persons * 2, (number) => ask(number % persons, 1 + Math.floor(number / persons)))
        const seconds = (performance.now() - begun) / 1000
        const after = await gateway.figuresAtRest()
        const growth = after.heap - before.heap
        tally.expect(growth <= most, `objects grew by ${growth.toFixed(0)} MiB`)
        tally.figure("objects", `+${growth.toFixed(0)} MiB`)
        tally.figure("memory", `+${(after.memory - before.memory).toFixed(0)} MiB`)
        tally.figure("rate", (persons * 2) / seconds, "/s")
        tally.figure("longest computation", after.longestComputation, " ms")
        agent.destroy()
      })
      return tally.outcome()
    })
}
