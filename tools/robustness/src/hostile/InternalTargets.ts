import * as Effect from "effect/Effect"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { call } from "../clients/McpCall.ts"
import { startGateway } from "../process/GatewayProcess.ts"
import { apiKeys, keyOf, machineEntry } from "../servers/Entries.ts"
import { answerJson, listen } from "../servers/LoopbackServer.ts"

/** Addresses that a server on loopback must not lead to (IANA special-purpose registries, and metadata of clouds). */
const literals = [
  "169.254.169.254",
  "169.254.170.2",
  "100.100.100.200",
  "10.0.0.1",
  "172.16.0.1",
  "192.168.1.1",
  "100.64.0.1",
  "0.0.0.0",
  "192.0.0.1",
  "192.0.2.1",
  "192.88.99.1",
  "198.18.0.1",
  "198.51.100.1",
  "203.0.113.1",
  "224.0.0.1",
  "240.0.0.1",
  "255.255.255.255",
  "[::]",
  "[::ffff:169.254.169.254]",
  "[::ffff:10.0.0.1]",
  "[64:ff9b::a9fe:a9fe]",
  "[64:ff9b:1::1]",
  "[100::1]",
  "[2001::1]",
  "[2001:db8::1]",
  "[2002:a9fe:a9fe::1]",
  "[fc00::1]",
  "[fe80::1]",
  "[fd00:ec2::254]",
  "[ff02::1]",
  "2852039166",
  "0xa9fea9fe",
  "0251.0376.0251.0376",
  "169.254.169.254."
]

/** Looking it up takes seconds where there is no network. */
const slowToLookUp = "metadata.google.internal"

export const internalTargets: Attack = {
  name: "internal-targets",
  tries:
    "metadata and challenges that lead to internal and special addresses, in every notation; through: the gateway tries to connect",
  run: ({ isShort }) =>
    Effect.gen(function* () {
      const tally = makeTally()
      const addresses = isShort ? literals : [...literals, slowToLookUp]
      const site = yield* listen((request, response) => {
        request.resume()
        const { pathname } = new URL(request.url ?? "/", "http://loopback.invalid")
        const [, way = "", number = "0"] = /(\w+)\/(\d+)$/.exec(pathname) ?? []
        const target = `http://${addresses[Number(number)]}:1/as`
        const own = `http://${request.headers.host}`
        if (pathname.startsWith("/.well-known/oauth-protected-resource"))
          return answerJson(response, 200, {
            resource: `${own}/${way}/${number}`,
            authorization_servers: [way === "issuer" ? target : `${own}/as/${number}`]
          })
        if (pathname.startsWith("/.well-known/"))
          return answerJson(response, 200, {
            issuer: `${own}/as/${number}`,
            authorization_endpoint: `${own}/authorize`,
            token_endpoint: target,
            registration_endpoint: target,
            response_types_supported: ["code"],
            code_challenge_methods_supported: ["S256"]
          })
        const metadata =
          way === "challenge" ? target : `${own}/.well-known/oauth-protected-resource/${way}/${number}`
        return answerJson(response, 401, {}, { "www-authenticate": `Bearer resource_metadata="${metadata}"` })
      })
      const ways = ["challenge", "issuer", "registration"]
      const servers = ways.flatMap((way) =>
        addresses.map((_, index) => ({
          server_name: `${way}-${index}`,
          config: { url: `${site.url}/${way}/${index}` },
          oauth: { enabled: true, grant_type: "authorization_code", enforce_https: false }
        }))
      )
      const gateway = yield* startGateway({
        gateway: { api_keys: apiKeys(["alice"]), auth_timeout_seconds: 2 },
        servers
      })
      yield* Effect.promise(async () => {
        for (const [index, { server_name: name }] of servers.entries()) {
          // Each address in one way; together they see every way.
          if (isShort && index % ways.length !== Math.floor(index / addresses.length)) continue
          const { body, status } = await call(`${gateway.url}/servers/${name}/mcp`, { key: keyOf("alice") })
          const [way = ""] = name.split("-")
          const address = addresses[index % addresses.length]
          const isName = address === slowToLookUp
          // A challenge that must not be followed may be passed over for the well-known place.
          const isRefused = /leads to an? \S+ address/.test(body)
          const isUnresolved = isName && body.includes("ConnectionFailed")
          tally.expect(
            isRefused || isUnresolved || way === "challenge",
            `${way} ${address}: HTTP ${status} ${body.slice(0, 300)}`
          )
        }
        const tried = [...gateway.output().matchAll(/ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT/g)]
          .length
        tally.expect(tried === 0, `the log speaks of ${tried} connections that failed`)
      })
      return tally.outcome()
    })
}

export const redirects: Attack = {
  name: "redirects",
  tries:
    "redirects of the token endpoint, of metadata and of an MCP server to another server of this machine; through: that server gets a request, or a client learns of it",
  run: () =>
    Effect.gen(function* () {
      const tally = makeTally()
      const reached: Array<string> = []
      const internal = yield* listen((request, response) => {
        reached.push(`${request.method} ${request.url} ${request.headers.authorization ?? "without a token"}`)
        request.resume()
        answerJson(response, 200, { access_token: "internal", token_type: "Bearer" })
      })
      const statuses = [301, 302, 303, 307, 308]
      const site = yield* listen((request, response) => {
        request.resume()
        const { pathname } = new URL(request.url ?? "/", "http://loopback.invalid")
        const [, status = "0"] = /(\d+)$/.exec(pathname) ?? []
        if (pathname === "/token")
          return answerJson(response, 200, { access_token: "token", token_type: "Bearer" })
        if (pathname.startsWith("/mcp-plain"))
          return answerJson(response, 401, {}, { "www-authenticate": "Bearer" })
        return response
          .writeHead(Number(status) || 302, {
            location: `${internal.url}/secret`,
            refresh: `0;url=${internal.url}/secret`
          })
          .end()
      })
      const gateway = yield* startGateway({
        gateway: { api_keys: apiKeys(["alice"]) },
        servers: statuses.flatMap((status) => [
          machineEntry(`token-${status}`, `${site.url}/mcp`, `${site.url}/token/${status}`),
          machineEntry(`mcp-${status}`, `${site.url}/mcp/${status}`, `${site.url}/token`),
          {
            server_name: `metadata-${status}`,
            config: { url: `${site.url}/mcp-plain/${status}` },
            oauth: { enabled: true, grant_type: "authorization_code", enforce_https: false }
          }
        ])
      })
      yield* Effect.promise(async () => {
        for (const status of statuses)
          for (const way of ["token", "mcp", "metadata"])
            for (const method of ["POST", "GET"]) {
              const answer = await call(`${gateway.url}/servers/${way}-${status}/mcp`, {
                key: keyOf("alice"),
                method,
                timeout: 5000
              })
              const shown = `${way} ${status} ${method}`
              tally.expect(reached.length === 0, `${shown}: ${reached.splice(0).join(", ")}`)
              tally.expect(
                answer.status < 300 || answer.status >= 400,
                `${shown}: the client got ${answer.status}`
              )
              const said = answer.body + JSON.stringify(answer.headers)
              tally.expect(
                !said.includes(new URL(internal.url).host),
                `${shown}: the client learns where it leads`
              )
            }
      })
      return tally.outcome()
    })
}
