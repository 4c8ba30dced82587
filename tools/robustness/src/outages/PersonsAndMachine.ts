import * as Effect from "effect/Effect"
import { logIn } from "../clients/LogIn.ts"
import { sendTraffic, type Route, type Sent } from "../clients/Traffic.ts"
import { startGateway } from "../process/GatewayProcess.ts"
import { type AuthorizationServerOptions, startAuthorizationServer } from "../servers/AuthorizationServer.ts"
import { apiKeys, keyOf, machineEntry, personEntry } from "../servers/Entries.ts"
import { startMcpServer } from "../servers/McpServer.ts"

const subjects = Array.from({ length: 10 }, (_, index) => `person${index}`)

// Without renewal ahead of expiry, which would hide an outage that is shorter than half a token's life.
const oauth = { token_expiry_buffer: 0 }

/** A gateway with ten people who have logged in, and a machine's token; the tokens expire all the time. */
export const startPersonsAndMachine = Effect.fnUntraced(function* (
  options: Partial<AuthorizationServerOptions> = {},
  others: ReadonlyArray<object> = []
) {
  const authorizationServer = yield* startAuthorizationServer({ lifetime: 1, grace: 5000, ...options })
  const mcp = yield* startMcpServer(authorizationServer.isValid)
  const gateway = yield* startGateway({
    gateway: { api_keys: apiKeys([...subjects, "machine"]) },
    servers: [
      personEntry("persons", mcp.mcpUrl, authorizationServer.url, oauth),
      machineEntry("machine", mcp.mcpUrl, `${authorizationServer.url}/token`, oauth),
      ...others
    ]
  })
  const personsUrl = `${gateway.url}/servers/persons/mcp`
  yield* Effect.promise(async () => {
    for (const subject of subjects) await logIn(personsUrl, keyOf(subject))
  })
  const routes: ReadonlyArray<Route> = [
    ...subjects.map((subject) => ({ name: "persons", url: personsUrl, key: keyOf(subject) })),
    { name: "machine", url: `${gateway.url}/servers/machine/mcp`, key: keyOf("machine") }
  ]
  return { authorizationServer, gateway, mcp, routes }
})

/** Sends requests while `meanwhile` runs; gives all that was sent and what `meanwhile` gave. */
export const sendDuring = async <A>(
  routes: ReadonlyArray<Route>,
  { rate, seconds }: { readonly rate: number; readonly seconds: number },
  meanwhile: () => Promise<A>
): Promise<readonly [ReadonlyArray<Sent>, A]> => {
  const sent: Array<Sent> = []
  const [, result] = await Promise.all([
    sendTraffic({ routes, rate, seconds, onSent: (one) => void sent.push(one) }),
    meanwhile()
  ])
  return [sent, result]
}

export const isSuccess = ({ status }: Sent): boolean => status === 200
