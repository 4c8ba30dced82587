import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { request as httpRequest } from "node:http"
import { TestLayer } from "../config/configFile.ts"
import { formTokenOf, startCompanyPeople } from "./CompanyPeople.ts"

const hostStatus = (url: string, headers: Readonly<Record<string, string>>) =>
  Effect.promise(
    () =>
      new Promise<number | undefined>((resolve, reject) => {
        httpRequest(url, { headers, agent: false }, (answer) => {
          answer.resume()
          resolve(answer.statusCode)
        })
          .on("error", reject)
          .end()
      })
  )

describe("what the pages of people tell", () => {
  layer(TestLayer)((it) => {
    it.effect("every answer is kept nowhere, stands in no frame, and is for no page of another origin", () =>
      Effect.gen(function* () {
        const { browser, call, colleague, publicUrl } = yield* startCompanyPeople()
        const { link = "" } = yield* call(yield* colleague("ada"))
        const ada = browser()
        yield* ada.openMe("ada")
        const answers = yield* Effect.forEach(
          [
            "/me",
            "/me/",
            "/me/login",
            "/me/login/callback",
            "/me/callback",
            "/me/everyone",
            "/me/x",
            link.slice(publicUrl.length)
          ],
          (path) =>
            Effect.map(
              ada.ask(publicUrl + path, { headers: { origin: "http://localhost:6274" } }),
              (answer) => ({ path, ...answer })
            )
        )
        for (const { headers, path, text } of answers) {
          assert.strictEqual(headers.get("cache-control"), "no-store", path)
          assert.strictEqual(headers.get("referrer-policy"), "no-referrer", path)
          assert.strictEqual(headers.get("x-frame-options"), "DENY", path)
          assert.include(headers.get("content-security-policy") ?? "", "frame-ancestors 'none'", path)
          for (const name of headers.keys()) assert.notMatch(name, /^access-control-/, path)
          for (const cookie of headers.getSetCookie()) assert.match(cookie, /Path=\/; HttpOnly; SameSite=Lax/)
          assert.notInclude(text, "Bearer")
        }
      })
    )

    it.effect("the pages are for names of this gateway only, whatever cookie comes with another", () =>
      Effect.gen(function* () {
        const { browser, publicUrl } = yield* startCompanyPeople()
        const ada = browser()
        yield* ada.openMe("ada")
        const cookies = ada.cookies.header(publicUrl)
        assert.strictEqual(yield* hostStatus(`${publicUrl}/me`, cookies), 200)
        for (const path of ["/me", "/me/login", "/me/login/callback", "/me/links/x"])
          assert.strictEqual(
            yield* hostStatus(publicUrl + path, { ...cookies, host: "attacker.example.com" }),
            403,
            path
          )
      })
    )

    it.effect("an operator sees all persons and no token, and nobody else does", () =>
      Effect.gen(function* () {
        const { browser, call, colleague, publicUrl } = yield* startCompanyPeople({
          callers: { admin: { subjects: ["grace"] } }
        })
        const { link = "" } = yield* call(yield* colleague("ada"))
        const ada = browser()
        yield* ada.goAs("ada", link)
        const { text: own } = yield* ada.ask(`${publicUrl}/me`)
        assert.notInclude(own, "/me/everyone")
        const refused = yield* ada.ask(`${publicUrl}/me/everyone`)
        assert.strictEqual(refused.status, 403)
        assert.notInclude(refused.text, "wiki")
        assert.strictEqual((yield* browser().ask(`${publicUrl}/me/everyone`)).status, 303)
        const grace = browser()
        yield* grace.openMe("grace")
        const { status, text } = yield* grace.ask(`${publicUrl}/me/everyone`)
        assert.strictEqual(status, 200)
        for (const shown of ["ada", "wiki"]) assert.include(text, shown)
        for (const hidden of [formTokenOf(own), link, "<form"]) assert.notInclude(text, hidden)
        // She is no other person for that: a form of hers is about her own grant.
        const page = yield* grace.ask(`${publicUrl}/me`)
        yield* grace.send("/me/disconnect", page.text, { server: "wiki", person: "ada", subject: "ada" })
        assert.include((yield* ada.ask(`${publicUrl}/me`)).text, "Disconnect")
      })
    )

    it.effect("without callers.admin nobody is an operator", () =>
      Effect.gen(function* () {
        for (const callers of [{}, { admin: {} }]) {
          const { browser, publicUrl } = yield* startCompanyPeople({ callers })
          const ada = browser()
          yield* ada.openMe("ada")
          assert.strictEqual((yield* ada.ask(`${publicUrl}/me/everyone`)).status, 403)
        }
      })
    )

    it.effect(
      "no secret of a login stands in the log, in a page or in an address but the one it is for",
      () =>
        Effect.gen(function* () {
          const { browser, call, colleague, gateway, publicUrl } = yield* startCompanyPeople()
          const { link = "" } = yield* call(yield* colleague("ada"))
          const ada = browser()
          const isLoginCallback = ({ pathname, searchParams }: URL) =>
            pathname === "/me/login/callback" && searchParams.has("code")
          const { url: loginCallback } = yield* ada.goAs("ada", link, isLoginCallback)
          const loginSecret = /secure_mcp_company_login_[\w-]+=([^;]*)/.exec(
            ada.cookies.header(publicUrl)["cookie"] ?? ""
          )?.[1]
          const isCallback = ({ pathname }: URL) => pathname === "/me/callback"
          const { url: callback } = yield* ada.goAs("ada", loginCallback, isCallback)
          yield* ada.ask(callback)
          const page = yield* ada.ask(`${publicUrl}/me`)
          yield* ada.ask(loginCallback)
          yield* browser().ask(callback)
          yield* ada.send("/me/disconnect", page.text, { server: "wiki" })
          const { cookie = "" } = ada.cookies.header(publicUrl)
          const session = /secure_mcp_session=([^;]*)/.exec(cookie)?.[1] ?? ""
          yield* ada.send("/me/logout", page.text)
          const secret = loginSecret?.split(".").at(-1) ?? ""
          const derived = (purpose: string) =>
            createHash("sha256").update(`${purpose} ${secret}`).digest("base64url")
          const parameter = (url: string, name: string) => new URL(url).searchParams.get(name) ?? ""
          const secrets = {
            session,
            secret,
            verifier: derived("verifier"),
            state: derived("state"),
            code: parameter(loginCallback, "code"),
            serverCode: parameter(callback, "code"),
            serverState: parameter(callback, "state"),
            formToken: formTokenOf(page.text),
            link: link.slice(`${publicUrl}/me/links/`.length)
          }
          assert.strictEqual(secrets.state, parameter(loginCallback, "state"))
          const log = gateway.logs.join("\n")
          assert.include(log, "A person has taken back the grant")
          for (const [name, value] of Object.entries(secrets)) {
            assert.isAtLeast(value.length, 40, name)
            assert.notInclude(log, value, name)
            if (name !== "formToken") assert.notInclude(page.text, value, name)
          }
          for (const value of [secret, session, secrets.verifier])
            for (const url of [loginCallback, callback]) assert.notInclude(url, value)
        })
    )
  })
})
