import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { fileURLToPath } from "node:url"
import { initialize, post } from "../cli/mcpMessages.ts"
import { echo, revisions } from "../http/McpClient.ts"
import { startGateway } from "../http/RunningGateway.ts"
import { connectPerson } from "./McpPerson.ts"
import { logIn } from "./Person.ts"
import { personalEntry, startProtectedServer } from "./ProtectedServer.ts"

const people = [
  { name: "alice", key: "the-key-that-alice-holds" },
  { name: "bob", key: "the-key-that-bob-holds-too" }
] as const

/** From a client that can only be told in an error. */
const older = { ...initialize, params: { ...initialize.params, protocolVersion: "2025-06-18" } }

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

/** The echo server as a child process: it shows the token it was started with. */
const echoChild = {
  command: process.execPath,
  args: [
    "--conditions=@secure-mcp/source",
    fileURLToPath(new URL("main.ts", import.meta.resolve("@secure-mcp/echo-server"))),
    "stdio"
  ]
}

/** A gateway with a person's key for each of them, in front of an HTTP server and a child. */
const stage = Effect.fnUntraced(function* (apiKeys: ReadonlyArray<unknown>) {
  const server = yield* startProtectedServer({ pointer: "well-known" })
  const { issuer } = server.authorizationServer
  const child = {
    ...personalEntry("", { issuer, resource: server.url, scope: "mcp:read" }, "child"),
    config: echoChild
  }
  const gateway = yield* startGateway({
    store: { type: "memory" },
    gateway: { api_keys: apiKeys },
    servers: [personalEntry(server.url), child]
  })
  const authorizationUrl = (serverName: string, key: string) =>
    Effect.map(post(gateway.url, serverName, older, bearer(key)), ({ text }) =>
      String(JSON.parse(text).error.data.authorization_url)
    )
  const logInWith = ({ key, name }: (typeof people)[number], serverName: string) =>
    Effect.flatMap(authorizationUrl(serverName, key), (url) => logIn(url, name))
  return { server, gateway, logInWith, authorizationUrl }
})

const named = people.map(({ key, name }) => ({ key, subject: name }))
const unnamed = people.map(({ key }) => key)

describe("two people of one gateway", () => {
  for (const revision of revisions) {
    for (const [kind, keys] of [
      ["named", named],
      ["unnamed", unnamed]
    ] as const) {
      it.effect(`two people use their own tokens at once, with ${kind} keys (${revision})`, () =>
        Effect.gen(function* () {
          const { gateway, logInWith, server } = yield* stage(keys)
          yield* Effect.forEach(people, (person) => logInWith(person, "echo"), { concurrency: "unbounded" })
          const clients = yield* Effect.forEach(people, ({ key }) =>
            connectPerson(gateway.mcp("echo"), revision, { headers: bearer(key) })
          )
          const seen = yield* Effect.forEach(
            clients,
            (client) =>
              Effect.all(
                Array.from({ length: 5 }, () => echo(client)),
                { concurrency: "unbounded" }
              ),
            { concurrency: "unbounded" }
          )
          const [ofAlice, ofBob] = seen.map((texts) => Array.from(new Set(texts)))
          assert.lengthOf(ofAlice ?? [], 1)
          assert.lengthOf(ofBob ?? [], 1)
          assert.notDeepEqual(ofAlice, ofBob)
          const shown = yield* tokensBySubject(server)
          assert.strictEqual(ofAlice?.[0], `Received token: ${shown.get("alice")?.slice(0, 20)}...`)
          assert.strictEqual(ofBob?.[0], `Received token: ${shown.get("bob")?.slice(0, 20)}...`)
        })
      )
    }

    it.effect(`two people have a child process each (${revision})`, () =>
      Effect.gen(function* () {
        const { gateway, logInWith } = yield* stage(named)
        yield* Effect.forEach(people, (person) => logInWith(person, "child"), { concurrency: "unbounded" })
        const clients = yield* Effect.forEach(
          people,
          ({ key }) => connectPerson(gateway.mcp("child"), revision, { headers: bearer(key) }),
          { concurrency: "unbounded" }
        )
        const seen = yield* Effect.forEach(clients, (client) => Effect.all([echo(client), echo(client)]), {
          concurrency: "unbounded"
        })
        for (const [first, second] of seen) {
          assert.match(first, /^Received token: (?!No token)/)
          assert.strictEqual(second, first)
        }
        assert.notStrictEqual(seen[0]?.[0], seen[1]?.[0])
      })
    )
  }

  it.effect("two people are asked to log in separately", () =>
    Effect.gen(function* () {
      const { authorizationUrl, gateway, logInWith } = yield* stage(named)
      const [alice, bob] = people
      yield* logInWith(alice, "echo")
      const url = yield* authorizationUrl("echo", bob.key)
      assert.notStrictEqual(url, "undefined")
      const { status, text } = yield* post(gateway.url, "echo", undefined, bearer(alice.key))
      assert.notStrictEqual(status, 502, text)
    })
  )

  it.effect("two people cannot use each other's sessions with a child process", () =>
    Effect.gen(function* () {
      const { gateway, logInWith } = yield* stage(named)
      const [alice, bob] = people
      yield* logInWith(alice, "child")
      yield* logInWith(bob, "child")
      const client = yield* connectPerson(gateway.mcp("child"), "2025-11-25", { headers: bearer(alice.key) })
      const { sessionId = "" } = client.transport ?? {}
      assert.notStrictEqual(sessionId, "")
      const call = (key: string) =>
        post(
          gateway.url,
          "child",
          {
            jsonrpc: "2.0",
            id: 9,
            method: "tools/call",
            params: { name: "echo_auth_header", arguments: {} }
          },
          { ...bearer(key), "mcp-session-id": sessionId, "mcp-protocol-version": "2025-11-25" }
        )
      assert.include((yield* call(alice.key)).text, "Received token")
      const stolen = yield* call(bob.key)
      assert.strictEqual(stolen.status, 404)
      assert.notInclude(stolen.text, "Received token")
    })
  )
})

/** The last token with which each person reached the server. */
const tokensBySubject = Effect.fnUntraced(function* ({
  authorizationServer,
  echo: upstream
}: Effect.Success<ReturnType<typeof startProtectedServer>>) {
  const tokens = new Map<string, string>()
  for (const { authorization } of yield* upstream.requests) {
    const token = authorization === undefined ? "" : Redacted.value(authorization).replace("Bearer ", "")
    const described = yield* authorizationServer.verify(token)
    if (described.active) tokens.set(described.sub, token)
  }
  return tokens
})
