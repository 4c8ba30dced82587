import * as Effect from "effect/Effect"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { call } from "../clients/McpCall.ts"
import { startGateway } from "../process/GatewayProcess.ts"
import { apiKeys, keyOf } from "../servers/Entries.ts"
import { answerJson, listen } from "../servers/LoopbackServer.ts"

const most = 300

/** As many servers as documents, each with metadata of its own that is as long as said. */
const metadataAttack = (name: string, documents: number, kibibytes: number): Attack => ({
  name,
  tries: `${documents} metadata documents of ${kibibytes} KiB, asked for twice (--short: once); through: memory grows by more than ${most} MiB, or an answer is no answer`,
  run: ({ isShort }) =>
    Effect.gen(function* () {
      const tally = makeTally()
      const padding = "p".repeat(kibibytes * 1024)
      const site = yield* listen((request, response) => {
        request.resume()
        const { pathname } = new URL(request.url ?? "/", "http://loopback.invalid")
        const origin = `http://${request.headers.host}`
        const [, number = ""] = /(\d+)$/.exec(pathname) ?? []
        if (pathname.startsWith("/.well-known/oauth-protected-resource"))
          return answerJson(response, 200, {
            resource: `${origin}/mcp/${number}`,
            authorization_servers: [`${origin}/as/${number}`],
            padding
          })
        if (pathname.startsWith("/.well-known/"))
          return answerJson(response, 200, {
            issuer: `${origin}/as/${number}`,
            authorization_endpoint: `${origin}/authorize`,
            token_endpoint: `${origin}/token`,
            response_types_supported: ["code"],
            code_challenge_methods_supported: ["S256"],
            scopes_supported: [padding]
          })
        return answerJson(
          response,
          401,
          {},
          {
            "www-authenticate": `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp/${number}"`
          }
        )
      })
      const servers = Array.from({ length: documents }, (_, index) => ({
        server_name: `server-${index}`,
        config: { url: `${site.url}/mcp/${index}` },
        oauth: {
          enabled: true,
          grant_type: "authorization_code",
          client_id: "gateway",
          enforce_https: false
        }
      }))
      const gateway = yield* startGateway({ gateway: { api_keys: apiKeys(["alice"]) }, servers })
      yield* Effect.promise(async () => {
        const before = await gateway.beginMeasurement()
        for (let round = 0; round < (isShort ? 1 : 2); round += 1)
          for (let first = 0; first < documents; first += 20) {
            const part = servers.slice(first, first + 20)
            const answers = await Promise.all(
              part.map(({ server_name: server }) =>
                call(`${gateway.url}/servers/${server}/mcp`, { key: keyOf("alice") })
              )
            )
            for (const { status } of answers)
              tally.expect(status >= 400 && status !== 500, `an answer has the status ${status}`)
          }
        const { highestMemory, longestComputation } = await gateway.figures()
        const growth = highestMemory - before.memory
        tally.expect(growth <= most, `memory grew by ${growth.toFixed(0)} MiB`)
        tally.figure("memory", `+${growth.toFixed(0)} MiB`)
        tally.figure("longest computation", longestComputation, " ms")
      })
      return tally.outcome()
    })
})

export const hostileMetadata: ReadonlyArray<Attack> = [
  metadataAttack("metadata-220-kib", 160, 220),
  metadataAttack("metadata-900-kib", 60, 900)
]
