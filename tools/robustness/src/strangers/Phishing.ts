import * as Effect from "effect/Effect"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { authorize, confirm, linkOf, logIn, visit } from "../clients/LogIn.ts"
import { call } from "../clients/McpCall.ts"
import { startGateway } from "../process/GatewayProcess.ts"
import { startAuthorizationServer } from "../servers/AuthorizationServer.ts"
import { apiKeys, keyOf, personEntry } from "../servers/Entries.ts"
import { startMcpServer } from "../servers/McpServer.ts"

export const phishing: Attack = {
  name: "phishing",
  tries:
    "an attacker's login link, completed by somebody else: without the cookie, with another browser's, twice, by a form of another page; through: the attacker has a grant, or a code is exchanged",
  run: () =>
    Effect.gen(function* () {
      const tally = makeTally()
      const authorizationServer = yield* startAuthorizationServer({ lifetime: 3600, grace: 0 })
      const mcp = yield* startMcpServer(authorizationServer.isValid)
      const gateway = yield* startGateway({
        gateway: { api_keys: apiKeys(["mallory", "alice", "bob"]) },
        servers: [personEntry("notes", mcp.mcpUrl, authorizationServer.url)]
      })
      const url = `${gateway.url}/servers/notes/mcp`
      const key = keyOf("mallory")
      const { state } = authorizationServer
      const hasGrant = async () => (await call(url, { key })).status === 200

      /** A callback that must be refused before its code is exchanged. */
      const refused = async (how: string, callback: string, cookie?: string) => {
        const before = state.requests
        const { status } = await visit(callback, cookie === undefined ? {} : { headers: { cookie } })
        tally.expect(status >= 400 && status < 500, `${how}: answered with ${status}`)
        tally.expect(state.requests === before, `${how}: the code was exchanged`)
        tally.expect(!(await hasGrant()), `${how}: the attacker has the grant`)
      }

      yield* Effect.promise(async () => {
        const link = await linkOf(url, key)
        // The colleague opens the link that the attacker has opened and confirmed.
        const { authorizationUrl } = await confirm(link)
        const callback = await authorize(authorizationUrl)
        await refused("without a cookie", callback)
        await refused("with an invented cookie", callback, "secure_mcp_login=1; session=1")
        const second = await visit(link)
        tally.expect(!second.text.includes("<form"), "the link shows its form to a second browser")
        const own = await confirm(await linkOf(url, keyOf("alice")))
        await refused("with the cookie of another login", callback, own.cookie)
        const [name = ""] = own.cookie.split("=")
        await refused(
          "with a cookie that has the name and another value",
          callback,
          `${name}=${"A".repeat(43)}`
        )

        const fresh = await linkOf(url, keyOf("bob"))
        const page = await visit(fresh)
        const [, action = ""] = /action="([^"]*)"/.exec(page.text) ?? []
        const form = new URL(action, fresh).href
        const forms: ReadonlyArray<readonly [string, string, Record<string, string>]> = [
          ["a form of another site", form, { cookie: page.cookie, "sec-fetch-site": "cross-site" }],
          ["a form of another port", form, { cookie: page.cookie, "sec-fetch-site": "same-site" }],
          ["a form without its confirmation", fresh, { cookie: page.cookie }],
          ["a form without a cookie", form, {}]
        ]
        for (const [how, address, headers] of forms) {
          const { location, status } = await visit(address, { method: "POST", headers })
          tally.expect(location === undefined && status >= 400, `${how} leads on`)
        }

        // A login that counts, and its callback once more.
        const honest = await confirm(await linkOf(url, keyOf("bob")))
        const ending = await authorize(honest.authorizationUrl)
        const completed = await visit(ending, { headers: { cookie: honest.cookie } })
        tally.expect(completed.status === 200, `an honest login is refused with ${completed.status}`)
        const exchanged = state.requests
        const again = await visit(ending, { headers: { cookie: honest.cookie } })
        tally.expect(state.requests === exchanged, "a second callback exchanges its code again")
        tally.expect(again.status < 500, `a second callback is answered with ${again.status}`)
        for (const path of [
          "/login/",
          "/login/..%2f",
          "/login/" + "A".repeat(43),
          "/callback",
          "/callback?state=x&code=y"
        ]) {
          const { status } = await visit(new URL(path, ending).href)
          tally.expect(status >= 400 && status < 500, `${path}: answered with ${status}`)
        }
        await logIn(url, keyOf("alice"))
        tally.expect(!(await hasGrant()), "the attacker has a grant in the end")
      })
      return tally.outcome()
    })
}
