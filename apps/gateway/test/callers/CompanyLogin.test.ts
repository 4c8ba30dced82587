import { assert, describe, it } from "@effect/vitest"
import { assertNoCanary, findCanaries } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { startGateway as startProcess, writeConfig } from "../cli/gatewayProcess.ts"
import { TestLayer } from "../config/configFile.ts"
import { revisions } from "../http/McpClient.ts"
import { ping, send } from "../http/RawHttp.ts"
import { startGateway } from "../http/RunningGateway.ts"
import { bearer } from "./Company.ts"
import { startPerson } from "./LoggingInClient.ts"
import { startRealCompany } from "./RealCompany.ts"

/** The provider and the official client go by the clock of the machine, the gateway by the test's. */
const start = Effect.gen(function* () {
  yield* TestClock.setTime(Date.now())
  const company = yield* startRealCompany
  const gateway = yield* startGateway({ ...company.document, store: { type: "memory" } })
  const grantTypes = Effect.map(company.provider.tokenRequests, (requests) =>
    requests.map(({ form, status }) => `${String(form["grant_type"]).split(":").at(-1)} ${status}`)
  )
  return { ...company, ...gateway, url: company.url, grantTypes }
})

describe("people log in at the gateway with the company's account", () => {
  it.effect.each(revisions)("a client of %s that knows nothing but a URL logs its person in", (revision) =>
    Effect.gen(function* () {
      const { grantTypes, provider, url } = yield* start
      const [ada, bob] = [yield* startPerson(url, "ada", revision), yield* startPerson(url, "bob", revision)]
      for (let time = 0; time < 2; time += 1) {
        assert.strictEqual(yield* ada.subject, "Subject: ada")
        assert.strictEqual(yield* bob.subject, "Subject: bob")
      }
      for (const { login } of [ada, bob]) {
        assert.lengthOf(login.pages, 1)
        const asked = new URL(login.pages[0] ?? "")
        assert.strictEqual(asked.origin, provider.issuer)
        assert.strictEqual(asked.searchParams.get("resource"), url)
        assert.isTrue(asked.searchParams.get("scope")?.split(" ").includes("mcp"))
        assert.strictEqual(asked.searchParams.get("code_challenge_method"), "S256")
      }
      assert.deepStrictEqual((yield* grantTypes).toSorted(), [
        "authorization_code 200",
        "authorization_code 200",
        "token-exchange 200",
        "token-exchange 200"
      ])
    })
  )

  it.effect("new keys of the provider cost no request", () =>
    Effect.gen(function* () {
      const { provider, url } = yield* start
      const ada = yield* startPerson(url, "ada")
      const traffic = { isOver: false, seen: new Array<string>() }
      const running = yield* Effect.forkChild(
        Effect.gen(function* () {
          while (!traffic.isOver) traffic.seen.push(yield* ada.subject)
        })
      )
      for (const name of ["bob", "eve", "kim"]) {
        yield* provider.rotateKey
        const person = yield* startPerson(url, name)
        assert.strictEqual(yield* person.subject, `Subject: ${name}`)
        yield* TestClock.adjust("61 seconds")
      }
      traffic.isOver = true
      yield* Fiber.join(running)
      assert.isAbove(traffic.seen.length, 3)
      assert.deepStrictEqual([...new Set(traffic.seen)], ["Subject: ada"])
    })
  )

  it.effect("a token that ends is renewed, and without renewal the person logs in again", () =>
    Effect.gen(function* () {
      const { grantTypes, provider, url } = yield* start
      yield* provider.setAccessTokenLifetime(60)
      // A client of 2025-11-25 opens its stream again a second after the token has ended, and renews the token for that.
      const ada = yield* startPerson(url, "ada", "2026-07-28")
      assert.strictEqual(yield* ada.subject, "Subject: ada")
      yield* TestClock.adjust("5 minutes")
      const old = ada.login.issued[0]?.access_token ?? ""
      const refused = yield* send(url, { ...ping, headers: { ...ping.headers, ...bearer(old) } })
      assert.strictEqual(refused.status, 401)
      assert.include(String(refused.headers["www-authenticate"]), 'error="invalid_token"')
      yield* provider.setAccessTokenLifetime(3600)
      assert.strictEqual(yield* ada.subject, "Subject: ada")
      assert.lengthOf(ada.login.pages, 1)
      assert.lengthOf(ada.login.issued, 2)

      yield* TestClock.adjust("2 hours")
      yield* provider.revokeAll
      yield* provider.setAccessTokenLifetime(24 * 3600)
      assert.isFalse(yield* ada.mayCall)
      assert.lengthOf(ada.login.pages, 2)
      yield* ada.logIn
      assert.strictEqual(yield* ada.subject, "Subject: ada")
      assert.deepStrictEqual(yield* grantTypes, [
        "authorization_code 200",
        "token-exchange 200",
        "refresh_token 200",
        "token-exchange 200",
        "refresh_token 400",
        "authorization_code 200",
        "token-exchange 200"
      ])
    })
  )

  it.live.each([1, 2])(
    "nobody's token is seen in a log, by the MCP server, or in the store, with --workers %s",
    (workers) =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const directory = yield* files.makeTempDirectoryScoped()
        const { document, echo, provider, url } = yield* startRealCompany
        const config = yield* writeConfig({ ...document, store: { type: "file", directory } })
        const gateway = yield* startProcess([
          "serve",
          "--config",
          config,
          "--log-level",
          "trace",
          "--workers",
          String(workers)
        ])
        yield* gateway.firstLine
        const { failed, issued } = yield* Effect.gen(function* () {
          const [ada, bob] = [yield* startPerson(url, "ada"), yield* startPerson(url, "bob")]
          assert.strictEqual(yield* ada.subject, "Subject: ada")
          assert.strictEqual(yield* bob.subject, "Subject: bob")
          // Also what goes wrong is logged.
          yield* provider.revokeAccessTokens
          const issued = [ada, bob].flatMap(({ login }) => login.issued)
          const headers = { ...ping.headers, ...bearer(issued[0]?.access_token ?? "") }
          return { failed: yield* send(url, { ...ping, headers }), issued }
        }).pipe(Effect.scoped)
        assert.strictEqual(failed.status, 502)
        yield* gateway.signal("SIGTERM")
        const { exitCode, stderr, stdout } = yield* gateway.finished
        assert.strictEqual(exitCode, 0, stderr)

        assert.lengthOf(issued, 2)
        const secrets = issued.flatMap((tokens) => [
          tokens.access_token,
          tokens.access_token.split(".").at(-1) ?? "",
          tokens.refresh_token ?? ""
        ])
        const requests = (yield* echo.requests).map(
          ({ authorization, ...request }) =>
            `${JSON.stringify(request)} ${authorization === undefined ? "" : Redacted.value(authorization)}`
        )
        assert.isAbove(requests.length, 3)
        assert.isTrue(requests.some((request) => request.includes("Bearer ey")))
        const stored = yield* Effect.forEach(
          yield* files.readDirectory(directory, { recursive: true }),
          (name) =>
            Effect.map(
              Effect.orElseSucceed(files.readFile(`${directory}/${name}`), () => new Uint8Array()),
              (bytes) => `${name} ${Buffer.from(bytes).toString("latin1")}`
            )
        )
        assert.isNotEmpty(stored)
        for (const place of [failed.body.toString(), stdout, stderr, requests.join("\n"), stored.join("\n")])
          assertNoCanary(place, secrets)
        const exchanged = (yield* provider.tokenRequests).map(({ form }) => form)
        assert.isNotEmpty(
          findCanaries(exchanged, secrets[0] ?? ""),
          "it was sent there, so it could have leaked"
        )
      }).pipe(Effect.provide(TestLayer))
  )
})
