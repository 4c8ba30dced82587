import { assert, describe, layer } from "@effect/vitest"
import { assertNoCanary, canary } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { TestLayer } from "../config/configFile.ts"
import { runGateway, serve, writeConfig } from "../cli/gatewayProcess.ts"
import { post } from "../cli/mcpMessages.ts"
import { canListProcesses, commandLinesBelow } from "../cli/processes.ts"
import { makeBrowser, makeStateDirectory, startDialogue } from "./commandProcess.ts"
import { consent, logIn, visit, walk } from "./Person.ts"
import { personalEntry, startProtectedServer } from "./ProtectedServer.ts"

const clientSecret = canary("client-secret")

/** A protected server, the client that is known there, and a place for what is kept. */
const stage = Effect.gen(function* () {
  const server = yield* startProtectedServer({
    pointer: "well-known",
    clients: [
      {
        client_id: "gateway",
        client_secret: clientSecret,
        application_type: "native",
        token_endpoint_auth_method: "client_secret_basic",
        grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
        redirect_uris: ["http://127.0.0.1/oauth/callback"]
      }
    ]
  })
  const state = yield* makeStateDirectory
  const env = { XDG_STATE_HOME: state, CLIENT_SECRET: clientSecret }
  const document = (oauth: object = {}) => ({
    servers: [
      personalEntry(server.url, { client_id: "gateway", client_secret: "${env:CLIENT_SECRET}", ...oauth })
    ]
  })
  const config = yield* writeConfig(document())
  const run = (...args: ReadonlyArray<string>) => runGateway([...args, "--config", config], env)
  const status = Effect.map(run("status", "--json"), ({ stdout }) => JSON.parse(stdout))
  return { server, state, env, document, config, run, status }
})

type Stage = Effect.Success<typeof stage>

/** `login` with a browser that the test is. */
const logInWithBrowser = Effect.fnUntraced(function* (
  { config, env }: Pick<Stage, "config" | "env">,
  name: string,
  ...flags: ReadonlyArray<string>
) {
  const browser = yield* makeBrowser
  const login = yield* startDialogue(["login", "echo", "--config", config, ...flags], {
    ...env,
    BROWSER: browser.command
  })
  const commandLines = yield* Effect.tap(browser.opened, () => Effect.void).pipe(
    Effect.andThen(canListProcesses ? commandLinesBelow(login.pid) : Effect.succeed([]))
  )
  const page = yield* logIn(yield* browser.opened, name)
  return { page, commandLines, ...(yield* login.finished) }
})

const instant = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/

describe("login", () => {
  layer(TestLayer)((it) => {
    it.effect("login stores a grant that other processes use and renew, until logout revokes it", () =>
      Effect.gen(function* () {
        const staged = yield* stage
        const { document, env, run, server, status } = staged
        const { authorizationServer } = server
        const heard: Array<string> = []
        const hear = <A extends { readonly stdout: string; readonly stderr: string }>(said: A) => {
          heard.push(said.stdout, said.stderr)
          return said
        }

        const before = yield* run("token", "echo")
        assert.strictEqual(before.exitCode, 1)
        assert.include(before.stderr, "a person has to log in")
        assert.include(before.stderr, "Run `secure-mcp-gateway login echo`")
        const [none] = yield* status
        assert.deepInclude(none, { server_name: "echo", grant: "authorization_code", scopes: null })
        assert.strictEqual(none.last_error.reason, "AuthorizationRequired")
        assert.match(none.last_error.at, instant)

        const login = hear(yield* logInWithBrowser(staged, "alice", "--log-level", "trace"))
        assert.strictEqual(login.exitCode, 0, login.stderr)
        assert.include(login.stdout, "Logged in to echo")
        assert.include(login.page.text, "Logged in")

        const [kept] = yield* status
        assert.deepInclude(kept, {
          server_name: "echo",
          grant: "authorization_code",
          subject: null,
          last_error: null
        })
        assert.include(kept.scopes, "mcp:read")
        assert.match(kept.expires_at, instant)
        assert.strictEqual(Date.parse(kept.expires_at) - Date.parse(kept.next_refresh), 300_000)

        const token = hear(yield* run("token", "echo", "--json"))
        assert.deepInclude(JSON.parse(token.stdout), { server_name: "echo", source: "cache" })
        const renewed = hear(yield* run("token", "echo", "--json", "--force-refresh", "--log-level", "trace"))
        assert.deepInclude(JSON.parse(renewed.stdout), { source: "acquired" })

        const gateway = yield* serve(document(), [], env)
        const answer = yield* post(gateway.url, "echo")
        assert.notStrictEqual(answer.status, 502, answer.text)
        yield* gateway.signal("SIGTERM")
        hear(yield* gateway.finished)
        assert.deepStrictEqual(yield* server.callers, ["alice"])

        const text = hear(yield* run("status"))
        for (const word of ["echo", "authorization_code", "mcp:read"]) assert.include(text.stdout, word)

        const logout = hear(yield* run("logout", "echo", "--log-level", "trace"))
        assert.strictEqual(logout.exitCode, 0, logout.stderr)
        assert.include(logout.stdout, "Logged out of echo")
        assert.isEmpty(yield* server.callers, "the token is good no more")
        assert.strictEqual((yield* run("token", "echo")).exitCode, 1)
        const [gone] = yield* status
        assert.deepInclude(gone, { scopes: null, expires_at: null, next_refresh: null })

        const refreshTokens = (yield* authorizationServer.tokenRequests).flatMap(
          ({ form }) => form["refresh_token"] ?? []
        )
        assert.lengthOf(refreshTokens, 1)
        const secrets = [clientSecret, ...refreshTokens]
        assertNoCanary(heard.join("\n"), secrets)
        assertNoCanary(login.commandLines.join("\n"), secrets)
      })
    )

    it.effect("login accepts a pasted redirect URL, also after one that is not valid", () =>
      Effect.gen(function* () {
        const { config, env, run } = yield* stage
        const login = yield* startDialogue(["login", "echo", "--config", config, "--no-browser"], env)
        const callback = yield* consent(yield* login.url, "alice")
        yield* login.paste("not a URL")
        yield* login.says("stderr", /This is not a URL/)
        yield* login.paste(callback.replace(/state=[^&]*/, "state=guessed"))
        yield* login.says("stderr", /cannot be used: its `state`/)
        yield* login.paste(`  ${callback}`)
        const { exitCode, stderr, stdout } = yield* login.finished
        assert.strictEqual(exitCode, 0, stderr)
        assert.include(stdout, "Logged in to echo")
        assert.strictEqual((yield* run("token", "echo")).exitCode, 0)
      })
    )

    it.effect("login waits for the browser when there is no terminal to paste into", () =>
      Effect.gen(function* () {
        const { config, env } = yield* stage
        const login = yield* startDialogue(["login", "echo", "--config", config, "--no-browser"], env)
        yield* login.closeInput
        const callback = yield* consent(yield* login.url, "alice")
        const stray = yield* visit(new URL("/favicon.ico", callback).href)
        assert.strictEqual(stray.status, 404)
        assert.strictEqual((yield* visit(callback)).status, 200)
        const { exitCode, stdout } = yield* login.finished
        assert.strictEqual(exitCode, 0)
        assert.include(stdout, "Logged in to echo")
      })
    )

    it.effect("login ends when the person denies it", () =>
      Effect.gen(function* () {
        const { config, env } = yield* stage
        const login = yield* startDialogue(["login", "echo", "--config", config, "--no-browser"], env)
        const url = new URL(yield* login.url)
        const callback = new URL(url.searchParams.get("redirect_uri") ?? "")
        const state = url.searchParams.get("state") ?? ""
        callback.search = String(new URLSearchParams({ state, iss: url.origin, error: "access_denied" }))
        assert.strictEqual((yield* visit(callback.href)).status, 400)
        const { exitCode, stderr, stdout } = yield* login.finished
        assert.strictEqual(exitCode, 1)
        assert.include(stderr, "access_denied")
        assert.notInclude(stdout, "Logged in")
      })
    )

    it.effect("login works on another device", () =>
      Effect.gen(function* () {
        const { document, env } = yield* stage
        const config = yield* writeConfig(document({ grant_type: "device_code" }))
        const login = yield* startDialogue(["login", "echo", "--config", config, "--device"], env)
        const link = yield* login.says("stdout", /(?<=or open )http\S+(?=\n)/)
        const page = yield* walk(link, "alice")
        assert.include(page.text, "Done")
        const { exitCode, stderr, stdout } = yield* login.finished
        assert.strictEqual(exitCode, 0, stderr)
        assert.include(stdout, "Logged in to echo")
        const token = yield* runGateway(["token", "echo", "--json", "--config", config], env)
        assert.deepInclude(JSON.parse(token.stdout), { source: "cache" })
      })
    )

    it.effect("login stores the grants of two people apart", () =>
      Effect.gen(function* () {
        const staged = yield* stage
        for (const name of ["alice", "bob"]) {
          const { exitCode, stderr } = yield* logInWithBrowser(staged, name, "--subject", name)
          assert.strictEqual(exitCode, 0, stderr)
        }
        const statuses: ReadonlyArray<{ subject: string }> = yield* staged.status
        assert.deepStrictEqual(statuses.map(({ subject }) => subject).sort(), ["alice", "bob"])
        const tokens = yield* Effect.forEach(["alice", "bob"], (name) =>
          Effect.map(staged.run("token", "echo", "--json", "--show", "--subject", name), ({ stdout }) =>
            String(JSON.parse(stdout).access_token)
          )
        )
        const subjects = yield* Effect.forEach(tokens, staged.server.authorizationServer.verify)
        assert.deepStrictEqual(
          subjects.map((token) => token.active && token.sub),
          ["alice", "bob"]
        )
        yield* staged.run("logout", "echo", "--subject", "alice")
        assert.strictEqual((yield* staged.run("token", "echo", "--subject", "alice")).exitCode, 1)
        assert.strictEqual((yield* staged.run("token", "echo", "--subject", "bob")).exitCode, 0)
      })
    )

    it.effect("login says that its port is taken, and that a server has no person's login", () =>
      Effect.gen(function* () {
        const { document, env, server } = yield* stage
        const { port } = new URL(server.echo.url)
        const taken = yield* writeConfig(
          document({ redirect_uri: `http://127.0.0.1:${port}/oauth/callback` })
        )
        assert.deepStrictEqual(yield* runGateway(["login", "echo", "--no-browser", "-c", taken], env), {
          exitCode: 1,
          stdout: "",
          stderr: `Cannot listen for the end of a login on 127.0.0.1:${port} (EADDRINUSE). Free the port, or choose another with \`redirect_uri\` or \`gateway.callback_port\`\n`
        })
        const machine = yield* writeConfig(
          document({ grant_type: "client_credentials", issuer: server.authorizationServer.issuer })
        )
        for (const command of ["login", "logout"]) {
          const { exitCode, stderr } = yield* runGateway([command, "echo", "-c", machine], env)
          assert.strictEqual(exitCode, 1)
          assert.include(stderr, 'Nobody logs in to "echo"')
        }
      })
    )
  })
})
