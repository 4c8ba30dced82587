import { assert, describe, layer } from "@effect/vitest"
import { EchoServer } from "@secure-mcp/echo-server"
import * as Effect from "effect/Effect"
import { initialize, ping, post } from "../cli/mcpMessages.ts"
import { TestLayer } from "../config/configFile.ts"
import { startGateway } from "../http/RunningGateway.ts"
import { startCompanyPeople } from "./CompanyPeople.ts"

describe("somebody whom no login of the company knows", () => {
  layer(TestLayer)((it) => {
    it.effect("an error that a browser brings does not make the gateway register another client", () =>
      Effect.gen(function* () {
        const { browser, company, publicUrl } = yield* startCompanyPeople()
        const stranger = browser()
        const clients = new Set<string | null>()
        for (const error of ["unauthorized_client", "invalid_client", "access_denied"]) {
          const { location } = yield* stranger.ask(`${publicUrl}/me/login`)
          const { searchParams } = new URL(location ?? "")
          clients.add(searchParams.get("client_id"))
          const query = new URLSearchParams({
            state: searchParams.get("state") ?? "",
            iss: company.issuer,
            error,
            error_description: "unknown client"
          })
          const refused = yield* stranger.ask(`${publicUrl}/me/login/callback?${query}`)
          assert.strictEqual(refused.status, 403)
        }
        assert.lengthOf([...clients], 1)
      })
    )

    it.effect(
      "what the company says of our configuration is for the log, and not for whoever opens the page",
      () =>
        Effect.gen(function* () {
          const { browser, company, gateway, publicUrl } = yield* startCompanyPeople({
            login: { scope: "openid of-no-such-resource" }
          })
          const { status, text } = yield* browser().ask(`${publicUrl}/me/login`)
          assert.strictEqual(status, 503)
          for (const hidden of [company.issuer, "invalid_client_metadata", "client_secret"])
            assert.notInclude(text, hidden)
          assert.include(gateway.logs.join(), "invalid_client_metadata")
        })
    )

    it.effect("a path of the public URL makes no server a page for everybody", () =>
      Effect.gen(function* () {
        const echo = yield* EchoServer.make()
        const gateway = yield* startGateway({
          store: { type: "memory" },
          gateway: {
            public_url: "https://gw.example.com/servers",
            callers: { jwt: [{ issuer: "https://login.example.com", login: { client_id: "gateway" } }] }
          },
          servers: [{ server_name: "me", config: { url: echo.url } }]
        })
        for (const message of [ping, initialize, ping]) {
          const { status } = yield* post(gateway.url, "me", message)
          assert.strictEqual(status, 401)
        }
        assert.lengthOf(yield* echo.requests, 0)
      })
    )

    it.effect("a page of another site is not allowed to send requests to the pages of people", () =>
      Effect.gen(function* () {
        const { browser, publicUrl } = yield* startCompanyPeople()
        for (const path of ["/me", "/me/connect", "/me/nothing"]) {
          const { headers, status } = yield* browser().ask(`${publicUrl}${path}`, {
            method: "OPTIONS",
            headers: {
              origin: "https://attacker.example.com",
              "access-control-request-method": "POST",
              "access-control-request-private-network": "true"
            }
          })
          assert.strictEqual(status, 403, path)
          assert.isNull(headers.get("access-control-allow-origin"))
          assert.isNull(headers.get("access-control-allow-private-network"))
        }
      })
    )
  })
})
