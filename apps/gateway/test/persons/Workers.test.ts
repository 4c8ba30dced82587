import { assert, describe, layer } from "@effect/vitest"
import { AuthorizationServer } from "@secure-mcp/authorization-server"
import { freePort } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { startGateway, writeConfig } from "../cli/gatewayProcess.ts"
import { initialize, post, request } from "../cli/mcpMessages.ts"
import { TestLayer } from "../config/configFile.ts"
import { BrowserCookies, walk } from "../login/Person.ts"
import { personalEntry, startProtectedServer } from "../login/ProtectedServer.ts"
import { formTokenOf } from "./CompanyPeople.ts"

describe("serve with two workers, for people with a browser", () => {
  layer(TestLayer, { excludeTestServices: true })((it) => {
    it.effect("a person is known at each worker, and the rules are those of one process", () =>
      Effect.gen(function* () {
        const port = yield* freePort
        const publicUrl = `http://127.0.0.1:${port}`
        const company = yield* AuthorizationServer.make({ clients: [], resources: [] })
        const remote = yield* startProtectedServer({ pointer: "well-known" })
        const config = yield* writeConfig({
          store: { type: "memory" },
          gateway: {
            port,
            public_url: publicUrl,
            callers: { jwt: [{ issuer: company.issuer }] }
          },
          servers: [personalEntry(remote.url, {}, "wiki")]
        })
        const gateway = yield* startGateway(["serve", "--config", config, "--workers", "2"])
        yield* gateway.firstLine
        const cookies = new BrowserCookies()
        const me = `${publicUrl}/me`
        yield* walk(`${publicUrl}/me/login`, "ada", { cookies, until: ({ pathname }) => pathname === "/me" })
        // Each request has a connection of its own, and so some worker or other.
        const visits = yield* Effect.forEach(Array.from({ length: 8 }), () =>
          request(me, { headers: cookies.header(me) })
        )
        assert.deepStrictEqual([...new Set(visits.map(({ status }) => status))], [200])
        const [page] = visits
        assert.strictEqual(page?.headers.get("x-frame-options"), "DENY")
        const connect = (headers: object, token: string) =>
          request(`${me}/connect`, {
            method: "POST",
            redirect: "manual",
            headers: { ...cookies.header(me), ...headers },
            body: new URLSearchParams({ server: "wiki", form_token: token })
          })
        const token = formTokenOf(page?.text ?? "")
        const forms = yield* Effect.forEach(
          [
            [{}, token],
            [{}, "another"],
            [{ "sec-fetch-site": "same-site" }, token],
            [{ cookie: "" }, token]
          ] as const,
          ([headers, token]) => Effect.map(connect(headers, token), ({ status }) => status)
        )
        assert.deepStrictEqual(forms, [303, 403, 403, 403])
        const preflight = yield* request(me, {
          method: "OPTIONS",
          headers: { origin: "https://attacker.example.com", "access-control-request-method": "POST" }
        })
        assert.strictEqual(preflight.status, 403)
        assert.strictEqual((yield* post(publicUrl, "wiki", initialize)).status, 401)
        assert.strictEqual((yield* request(`${publicUrl}/metrics`)).status, 401)
      })
    )
  })
})
