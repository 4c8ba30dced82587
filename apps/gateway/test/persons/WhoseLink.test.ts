import { AuthorizationServer } from "@secure-mcp/authorization-server"
import { assert, describe, layer } from "@effect/vitest"
import { freePort } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { initialize, post } from "../cli/mcpMessages.ts"
import { TestLayer } from "../config/configFile.ts"
import { personalEntry, startProtectedServer } from "../login/ProtectedServer.ts"
import { startGateway } from "../http/RunningGateway.ts"
import { companyClient, startCompanyPeople } from "./CompanyPeople.ts"

const apiKey = "the-key-of-the-ci-runner"
const withKey = { headers: { authorization: `Bearer ${apiKey}` } }

describe("links and redirects of other people, and of other ways to log in", () => {
  layer(TestLayer)((it) => {
    it.effect("the login of an API key's owner has no page below /me, and does not end there", () =>
      Effect.gen(function* () {
        const { browser, call, publicUrl, remote } = yield* startCompanyPeople({
          gateway: { api_keys: [{ key: apiKey, subject: "ci-runner" }] }
        })
        const { link = "" } = yield* call(withKey)
        assert.include(link, "/login/")
        const id = new URL(link).pathname.slice("/login/".length)
        // One who is called at the company as the owner of the key is called here.
        const namesake = browser()
        yield* namesake.openMe("ci-runner")
        assert.notInclude((yield* namesake.ask(`${publicUrl}/me`)).text, id)
        assert.strictEqual((yield* namesake.ask(`${publicUrl}/me/links/${id}`)).status, 404)
        const isEnd = ({ pathname }: URL) => pathname === "/oauth/callback"
        const { url } = yield* namesake.goAs("ci-runner", link, isEnd)
        const diverted = yield* namesake.ask(`${publicUrl}/me/callback${new URL(url).search}`)
        assert.strictEqual(diverted.status, 403)
        assert.lengthOf(yield* remote.authorizationServer.tokenRequests, 0)
        assert.strictEqual((yield* namesake.ask(url)).status, 200)
      })
    )

    it.effect("a link that belongs to /me cannot be used at the pages of other logins", () =>
      Effect.gen(function* () {
        const { browser, call, colleague, publicUrl, remote } = yield* startCompanyPeople({
          gateway: { api_keys: [{ key: apiKey, subject: "ci-runner" }] }
        })
        const { link: other = "" } = yield* call(withKey)
        const { link = "" } = yield* call(yield* colleague("mallory"))
        const { origin } = new URL(other)
        const ada = browser()
        for (const method of ["GET", "POST"]) {
          const id = link.slice(`${publicUrl}/me/links/`.length)
          const page = yield* ada.ask(`${origin}/login/${id}?confirm=x`, { method })
          assert.deepStrictEqual([page.status, page.location], [303, link], method)
        }
        yield* ada.openMe("ada")
        const mallory = browser()
        const isCallback = ({ pathname }: URL) => pathname === "/me/callback"
        const { url: callback } = yield* mallory.goAs("mallory", link, isCallback)
        const diverted = yield* ada.ask(`${origin}/oauth/callback${new URL(callback).search}`)
        assert.deepStrictEqual([diverted.status, diverted.location], [303, callback])
        assert.strictEqual((yield* ada.ask(callback)).status, 403)
        assert.lengthOf(yield* remote.authorizationServer.tokenRequests, 0)
        // Twice at once is once.
        const pages = yield* Effect.all([mallory.ask(callback), mallory.ask(callback)], { concurrency: 2 })
        assert.deepStrictEqual(
          pages.map(({ status }) => status),
          [200, 200]
        )
        assert.lengthOf(yield* remote.authorizationServer.tokenRequests, 1)
        // The outcome is that of the person, whoever has the address.
        assert.strictEqual((yield* ada.ask(callback)).status, 403)
        assert.strictEqual((yield* browser().ask(callback)).status, 403)
        assert.strictEqual((yield* mallory.ask(callback)).status, 200)
        assert.strictEqual((yield* mallory.ask(link)).status, 404)
      })
    )

    it.effect("a path below /me/links that is no link is nothing, whatever is in it", () =>
      Effect.gen(function* () {
        const { browser, call, colleague } = yield* startCompanyPeople()
        const { link = "" } = yield* call(yield* colleague("ada"))
        const ada = browser()
        yield* ada.openMe("ada")
        assert.strictEqual((yield* ada.ask(link)).status, 200)
        for (const end of ["/", "%2f", "/..%2f", "%00", "x", `/${"x".repeat(5000)}`, "/connect"])
          for (const method of ["GET", "POST"])
            assert.strictEqual((yield* ada.ask(link + end, { method })).status, 404, `${method} ${end}`)
      })
    )

    it.effect(
      "two companies: the same name at the other one is another person, and a login ends where it began",
      () =>
        Effect.gen(function* () {
          const port = yield* freePort
          const publicUrl = `http://127.0.0.1:${port}`
          const client = {
            ...companyClient,
            redirect_uris: [`${publicUrl}/me/login/callback`],
            grant_types: ["authorization_code"],
            response_types: ["code" as const]
          }
          const issuers = yield* Effect.all(
            [1, 2].map(() => AuthorizationServer.make({ clients: [client], resources: [] }))
          )
          const remote = yield* startProtectedServer({ pointer: "well-known" })
          const login = { ...companyClient }
          const gateway = yield* startGateway({
            store: { type: "memory" },
            gateway: {
              port,
              public_url: publicUrl,
              callers: { jwt: issuers.map(({ issuer }) => ({ issuer, login })) }
            },
            servers: [personalEntry(remote.url, {}, "wiki")]
          })
          const { browser } = yield* startCompanyPeople()
          const [first, second] = [browser(), browser()]
          const at = (index: number) => `${publicUrl}/me/login?at=${index}`
          const isMe = ({ pathname }: URL) => pathname === "/me"
          const isLoginCallback = ({ pathname }: URL) => pathname === "/me/login/callback"
          yield* first.goAs("ada", at(0), isMe)
          yield* second.goAs("ada", at(1), isMe)
          const page = (yield* first.ask(`${publicUrl}/me`)).text
          const token = /name="form_token" value="([^"]*)"/.exec(page)?.[1] ?? ""
          const { location } = yield* first.ask(`${publicUrl}/me/connect`, {
            method: "POST",
            body: new URLSearchParams({ server: "wiki", form_token: token })
          })
          assert.strictEqual((yield* first.ask(location ?? "")).status, 200)
          assert.strictEqual((yield* second.ask(location ?? "")).status, 403)
          // A code of the first company is given to the gateway as one of the second.
          const mixed = browser()
          const { url } = yield* mixed.goAs("ada", at(0), isLoginCallback)
          const { cookie = "" } = mixed.cookies.header(publicUrl)
          const changed = cookie.replace(/(secure_mcp_company_login_[\w-]+)=0\./, "$1=1.")
          assert.notStrictEqual(changed, cookie)
          assert.strictEqual((yield* mixed.ask(url, { headers: { cookie: changed } })).status, 403)
          assert.strictEqual((yield* post(gateway.url, "wiki", initialize)).status, 401)
          // Without a choice the person is asked.
          const choice = yield* browser().ask(`${publicUrl}/me/login`)
          for (const { issuer } of issuers) assert.include(choice.text, issuer)
        })
    )
  })
})
