import * as Effect from "effect/Effect"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { confirm, linkOf, logIn } from "../clients/LogIn.ts"
import { call } from "../clients/McpCall.ts"
import { startGateway } from "../process/GatewayProcess.ts"
import { apiKeys, keyOf, machineEntry, personEntry } from "../servers/Entries.ts"
import { startAuthorizationServer } from "../servers/AuthorizationServer.ts"
import { answerJson, listen } from "../servers/LoopbackServer.ts"

/** Token requests that a storm may cause: the first one, one that is forced, and one for a login. */
const most = 4

export const refusalStorms: Attack = {
  name: "refusal-storms",
  tries: `200 requests (--short: 100) to an MCP server that answers 401, or 403 with ever more scope, to everything; through: more than ${most} token requests for each, or an authorization URL of more than 16 KiB`,
  run: ({ isShort }) =>
    Effect.gen(function* () {
      const tally = makeTally()
      const count = { scopes: 0 }
      const mcp = yield* listen((request, response) => {
        request.resume()
        const path = request.url ?? ""
        const hasToken = request.headers.authorization !== undefined
        if (path === "/unauthorized" || !hasToken)
          return answerJson(response, 401, {}, { "www-authenticate": 'Bearer error="invalid_token"' })
        if (path === "/forbidden")
          return answerJson(response, 403, {}, { "www-authenticate": 'Bearer error="invalid_token"' })
        count.scopes += 40
        const scope = Array.from({ length: 40 }, (_, index) => `scope-${count.scopes + index}`).join(" ")
        return answerJson(
          response,
          403,
          {},
          { "www-authenticate": `Bearer error="insufficient_scope", scope="${scope}"` }
        )
      })
      const authorizationServer = yield* startAuthorizationServer({ lifetime: 3600, grace: 0 })
      const tokenUrl = `${authorizationServer.url}/token`
      const gateway = yield* startGateway({
        gateway: { api_keys: apiKeys(["alice"]) },
        servers: [
          ...["unauthorized", "forbidden", "growing"].map((path) =>
            machineEntry(path, `${mcp.url}/${path}`, tokenUrl)
          ),
          ...["unauthorized", "growing"].map((path) =>
            personEntry(`persons-${path}`, `${mcp.url}/${path}`, authorizationServer.url)
          )
        ]
      })
      const key = keyOf("alice")
      const urlOf = (name: string) => `${gateway.url}/servers/${name}/mcp`
      yield* Effect.promise(async () => {
        for (const name of ["persons-unauthorized", "persons-growing"]) await logIn(urlOf(name), key)
        for (const name of [
          "unauthorized",
          "forbidden",
          "growing",
          "persons-unauthorized",
          "persons-growing"
        ]) {
          const before = authorizationServer.state.requests
          for (let batch = 0; batch < (isShort ? 10 : 20); batch += 1)
            await Promise.all(Array.from({ length: 10 }, () => call(urlOf(name), { key })))
          const requests = authorizationServer.state.requests - before
          tally.expect(requests <= most, `${name}: ${requests} token requests`)
          tally.figure(name, requests)
        }
        // Each login brings a token that is not sufficient either.
        for (let round = 0; round < 5; round += 1) {
          const link = await linkOf(urlOf("persons-growing"), key).catch(() => undefined)
          if (link === undefined) break
          const { authorizationUrl } = await confirm(link)
          tally.expect(
            authorizationUrl.length <= 16_384,
            `an authorization URL has ${authorizationUrl.length} characters`
          )
          await logIn(urlOf("persons-growing"), key).catch(() => undefined)
        }
      })
      return tally.outcome()
    })
}
