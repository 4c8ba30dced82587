import { assert, describe, layer } from "@effect/vitest"
import { Answer, assertNoCanary, canary, findCanaries, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { fileURLToPath } from "node:url"
import { TestLayer } from "../config/configFile.ts"
import { entry, runGateway, serve, writeConfig } from "./gatewayProcess.ts"
import { initialize, ping, post, request, type Received } from "./mcpMessages.ts"
import { canListProcesses, commandLinesBelow } from "./processes.ts"

const secrets = {
  CLIENT_SECRET: canary("client-secret"),
  ACCESS_TOKEN: canary("access-token"),
  REFRESH_TOKEN: canary("refresh-token"),
  CUSTOM_HEADER: canary("custom-header"),
  PARAMETER: canary("parameter"),
  UPSTREAM_HEADER: canary("upstream-header"),
  VARIABLE: canary("variable"),
  API_KEY: canary("api-key")
}
const all = Object.values(secrets)

/** A careless server: it sends back whatever it was sent, wherever text may stand. */
const echo = (status: number) =>
  Answer.respondWith(({ body, headers }) =>
    Effect.succeed(
      Answer.json(
        {
          error: secrets.CLIENT_SECRET,
          error_description: `${body} ${JSON.stringify(headers)}`,
          error_uri: body
        },
        { status, headers: { "x-echo": headers.authorization ?? "none" } }
      )
    )
  )

const token = { access_token: secrets.ACCESS_TOKEN, refresh_token: secrets.REFRESH_TOKEN }

/** What token endpoints answer, by the name of the server whose token it would be. */
const tokenAnswers = {
  good: Answer.token(token),
  refusing: Answer.token(token),
  resetting: Answer.token(token),
  child: Answer.token(token),
  "wrong-secret": echo(401),
  html: Answer.text(`<html>${secrets.ACCESS_TOKEN} ${secrets.CLIENT_SECRET}</html>`, {
    contentType: "text/html"
  }),
  "unusable-token": Answer.token({ ...token, token_type: secrets.ACCESS_TOKEN }),
  redirect: Answer.redirect(`https://other.example/?token=${secrets.ACCESS_TOKEN}`),
  busy: Answer.json({ error: secrets.CLIENT_SECRET }, { status: 503, headers: { "retry-after": "3600" } }),
  "token-reset": Answer.reset
} satisfies Record<string, Answer>

type Name = keyof typeof tokenAnswers
const names = Object.keys(tokenAnswers) as ReadonlyArray<Name>

/** Everyone the gateway talks to, and its configuration. */
const stage = Effect.gen(function* () {
  const stub = yield* StubAuthorizationServer.make()
  for (const name of names) yield* stub.always(`/token/${name}`, tokenAnswers[name])
  yield* stub.always("/mcp/refusing", echo(401))
  yield* stub.always("/mcp/resetting", Answer.reset)
  yield* stub.always("/mcp/good", Answer.json({ jsonrpc: "2.0", id: ping.id, result: {} }))
  const servers = names.map((name) => {
    const http = entry(name, stub.endpoint(`/mcp/${name}`), stub.endpoint(`/token/${name}`), {
      // Both ways of authenticating the client, by turns.
      use_basic_auth: name.length % 2 === 0,
      custom_headers: { "X-Api-Key": "${env:CUSTOM_HEADER}" },
      additional_params: { pin: "${env:PARAMETER}" }
    })
    return name === "child"
      ? { ...http, config: child }
      : { ...http, config: { ...http.config, headers: { "X-Upstream": "${env:UPSTREAM_HEADER}" } } }
  })
  return { stub, document: { gateway: { api_keys: ["${env:API_KEY}"] }, servers } }
})

const child = {
  command: process.execPath,
  args: [fileURLToPath(new URL("./fixtures/talkativeServer.ts", import.meta.url))],
  env: { VARIABLE: "${env:VARIABLE}" }
}

/** What the gateway is told; tokens it gets by itself. */
const { CLIENT_SECRET, CUSTOM_HEADER, PARAMETER, UPSTREAM_HEADER, VARIABLE, API_KEY } = secrets
const environment = { CLIENT_SECRET, CUSTOM_HEADER, PARAMETER, UPSTREAM_HEADER, VARIABLE, API_KEY }

const seenBy = ({ headers, text }: Received) => `${JSON.stringify([...headers])} ${text}`

describe("no secret is seen", () => {
  layer(TestLayer)((it) => {
    it.effect.each(["json", "pretty"])("a gateway that logs everything as %s shows no secret", (format) =>
      Effect.gen(function* () {
        const { document, stub } = yield* stage
        const flags = ["--log-level", "trace", "--log-format", format]
        const gateway = yield* serve(document, flags, environment)
        const call = (name: Name, message: object = ping) =>
          post(gateway.url, name, message, { authorization: `Bearer ${secrets.API_KEY}` })
        const operations = (path: string) =>
          request(gateway.url + path, { headers: { authorization: `Bearer ${secrets.API_KEY}` } })

        // Its token request would be repeated after seconds: the first failure is enough.
        const patient = yield* Effect.forkChild(call("token-reset"))
        yield* gateway.logged("Next attempt in")
        yield* Fiber.interrupt(patient)
        const settled = names.filter((name) => name !== "token-reset" && name !== "child")
        const answers = yield* Effect.forEach(settled, (name) => call(name))
        assert.deepStrictEqual(
          answers.map(({ status }) => status),
          settled.map((name) => (name === "good" ? 200 : 502))
        )
        const initialized = yield* call("child", initialize)
        assert.strictEqual(initialized.status, 200)
        yield* gateway.logged("starting with")
        if (canListProcesses) {
          const commandLines = yield* commandLinesBelow(gateway.pid)
          assert.lengthOf(commandLines, 3, "the gateway, the child, and the shell that watches over it")
          assertNoCanary(commandLines.join("\n"), all)
        }
        const metrics = yield* Effect.forEach(
          ["/metrics", "/metrics.json", "/healthz", "/nowhere"],
          operations
        )
        const turnedAway = yield* request(`${gateway.url}/metrics`)
        assert.strictEqual(turnedAway.status, 401)
        yield* gateway.signal("SIGTERM")
        const { exitCode, stderr, stdout } = yield* gateway.finished
        assert.strictEqual(exitCode, 0)

        assertNoCanary([...answers, initialized, ...metrics, turnedAway].map(seenBy).join("\n"), all)
        assertNoCanary(stdout, all)
        assertNoCanary(stderr, all)
        assert.include(stderr, "starting with <redacted>", "the child did say it")
        const sent = (yield* stub.requests).map(({ body, headers }) => ({ body, headers }))
        for (const secret of [
          secrets.CLIENT_SECRET,
          secrets.ACCESS_TOKEN,
          secrets.CUSTOM_HEADER,
          secrets.PARAMETER,
          secrets.UPSTREAM_HEADER
        ]) {
          assert.isNotEmpty(findCanaries(sent, secret), "it was sent, so it could have leaked")
        }
      })
    )

    it.effect.each(["good", "wrong-secret"])("`token %s` shows no secret", (name) =>
      Effect.gen(function* () {
        const { document } = yield* stage
        const config = yield* writeConfig(document)
        const { exitCode, stderr, stdout } = yield* runGateway(
          ["token", name, "--config", config, "--json", "--log-level", "trace"],
          environment
        )
        assert.strictEqual(exitCode, name === "good" ? 0 : 1)
        assertNoCanary(stdout, all)
        assertNoCanary(stderr, all)
      })
    )

    it.effect.each(["refusing", "wrong-secret"] as const)("`stdio %s` shows no secret", (name) =>
      Effect.gen(function* () {
        const { document } = yield* stage
        const config = yield* writeConfig(document)
        const { stderr, stdout } = yield* runGateway(
          ["stdio", name, "--config", config, "--log-level", "trace"],
          environment,
          `${JSON.stringify(ping)}\n`
        )
        const answer = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "")
        assert.strictEqual(answer.id, ping.id)
        assert.property(answer, "error")
        assertNoCanary(stdout, all)
        assertNoCanary(stderr, all)
      })
    )

    it.effect("the problems of a file with secrets in the wrong places show no secret", () =>
      Effect.gen(function* () {
        const secret = "${env:CLIENT_SECRET}"
        const { oauth } = entry("remote", "", secret, {
          version: secret,
          scope: `${secret}  x`,
          resource: `${secret}#`,
          token_expiry_buffer: secret,
          custom_headers: { Authorization: secret }
        })
        const config = yield* writeConfig({
          gateway: { port: secret, api_keys: secret },
          servers: [{ server_name: `${secret} `, config: { url: secret, transport: secret }, oauth }]
        })
        const { exitCode, stderr, stdout } = yield* runGateway(["serve", "--config", config], environment)
        assert.strictEqual(exitCode, 1)
        assert.strictEqual(stdout, "")
        for (const place of [
          "gateway.port",
          "gateway.api_keys",
          "server_name",
          "config.url",
          "oauth.scope"
        ]) {
          assert.include(stderr, `${place}: `)
        }
        assertNoCanary(stderr, all)
      })
    )
  })
})
