import * as Effect from "effect/Effect"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { call } from "../clients/McpCall.ts"
import { open } from "../clients/RawSocket.ts"
import { pause } from "../clients/Traffic.ts"
import { startGateway } from "../process/GatewayProcess.ts"
import { apiKeys, keyOf, machineEntry } from "../servers/Entries.ts"
import { answerJson, listen, sendEndlessly } from "../servers/LoopbackServer.ts"

const block = "a".repeat(65_536)
const gibibyte = 2 ** 30
const most = 150

export const endlessAnswers: Attack = {
  name: "endless-answers",
  tries: `answers of a token endpoint, of metadata, of a refusal, and of an MCP server that do not end, the last also to a client that does not read; through: memory grows by more than ${most} MiB, or a request gets no answer`,
  run: ({ isShort }) =>
    Effect.gen(function* () {
      const tally = makeTally()
      const site = yield* listen((request, response) => {
        request.resume()
        const { pathname } = new URL(request.url ?? "/", "http://loopback.invalid")
        const begin = (status: number, type: string, start: string, headers: Record<string, string> = {}) => {
          response.writeHead(status, { "content-type": type, ...headers }).write(start)
          void sendEndlessly(response, block, gibibyte)
        }
        if (pathname === "/token") return begin(200, "application/json", '{"access_token":"')
        if (pathname === "/refusing-token")
          return begin(400, "application/json", '{"error":"x","error_description":"')
        if (pathname.startsWith("/.well-known")) return begin(200, "application/json", '{"issuer":"')
        if (pathname === "/stream") return begin(200, "text/event-stream", "data: ")
        if (pathname === "/header-token")
          return response.writeHead(200, { "x-long": "a".repeat(1_000_000) }).end("{}")
        if (pathname === "/refusal")
          return begin(401, "text/plain", "a", { "www-authenticate": `Bearer realm="${"r".repeat(8000)}"` })
        return answerJson(response, 401, {}, { "www-authenticate": "Bearer" })
      })
      const person = {
        enabled: true,
        grant_type: "authorization_code",
        client_id: "gateway",
        enforce_https: false
      }
      const gateway = yield* startGateway({
        gateway: { api_keys: apiKeys(["alice"]), auth_timeout_seconds: isShort ? 1 : 3 },
        servers: [
          machineEntry("token", `${site.url}/mcp`, `${site.url}/token`),
          machineEntry("refusing-token", `${site.url}/mcp`, `${site.url}/refusing-token`),
          machineEntry("header-token", `${site.url}/mcp`, `${site.url}/header-token`),
          { server_name: "metadata", config: { url: `${site.url}/mcp` }, oauth: person },
          { server_name: "refusal", config: { url: `${site.url}/refusal` }, oauth: person },
          { server_name: "stream", config: { url: `${site.url}/stream` } }
        ]
      })
      const urlOf = (name: string) => `${gateway.url}/servers/${name}/mcp`
      const key = keyOf("alice")
      yield* Effect.promise(async () => {
        const before = await gateway.beginMeasurement()
        // A client that does not read: what the server sends must wait there, and not in the gateway.
        const socket = await open(gateway.url)
        socket.on("error", () => {}).pause()
        const { host } = new URL(gateway.url)
        socket.write(
          `POST /servers/stream/mcp HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${key}\r\nContent-Length: 2\r\n\r\n{}`
        )
        const names = ["token", "refusing-token", "header-token", "metadata", "refusal"]
        const times = isShort ? 2 : 10
        const answers = await Promise.all(
          names.flatMap((name) =>
            Array.from({ length: times }, async () => ({ name, answer: await call(urlOf(name), { key }) }))
          )
        )
        for (const { answer, name } of answers)
          tally.expect(
            answer.status >= 400 && answer.status !== 500,
            `${name}: the status is ${answer.status}`
          )
        await pause(500)
        const { highestMemory, longestComputation } = await gateway.figures()
        socket.destroy()
        const growth = highestMemory - before.memory
        tally.expect(growth <= most, `memory grew by ${growth.toFixed(0)} MiB`)
        tally.figure("memory", `+${growth.toFixed(0)} MiB`)
        tally.figure("longest computation", longestComputation, " ms")
      })
      return tally.outcome()
    })
}
