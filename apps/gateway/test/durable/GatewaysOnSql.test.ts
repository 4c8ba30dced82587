import { assert, describe, it } from "@effect/vitest"
import { postgresProgram, PostgresServer, requireProgram } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { existsSync, readFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeAll } from "vitest"
import { ping, send, serveRaw } from "../http/RawHttp.ts"
import { startGateway, startTokenEndpoint } from "../http/RunningGateway.ts"

/** Two gateways on one store, each asked twice at once: they request one token. */
const shareOneToken = Effect.fnUntraced(function* (store: object) {
  const tokenEndpoint = yield* startTokenEndpoint
  const authorizations: Array<string | undefined> = []
  const upstream = yield* serveRaw((request, response) => {
    authorizations.push(request.headers.authorization)
    response.writeHead(200).end()
  })
  const server = { server_name: "one", config: { url: upstream.url }, oauth: tokenEndpoint.oauth }
  const document = { store, servers: [server] }
  const gateways = yield* Effect.all([startGateway(document), startGateway(document)], { concurrency: 2 })
  const answers = yield* Effect.forEach(
    [...gateways, ...gateways],
    (gateway) => send(gateway.mcp("one"), ping),
    { concurrency: "unbounded" }
  )
  assert.deepStrictEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 200]
  )
  assert.deepStrictEqual(authorizations, Array(4).fill("Bearer token-1"))
  assert.lengthOf(yield* tokenEndpoint.requests, 1)
})

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "gateways-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

describe("gateways on one database", () => {
  let program: string | undefined
  beforeAll(() => {
    program = requireProgram(postgresProgram)
  })

  it.live(
    "gateways on one SQLite file request a token once, and keep it encrypted with a key next to it",
    () =>
      Effect.gen(function* () {
        const path = join(yield* folder, "tokens.db")
        yield* shareOneToken({ type: "sqlite", url: path })
        assert.isTrue(existsSync(`${path}.key`))
        assert.notInclude(readFileSync(path, "latin1"), "token-1")
      })
  )

  it.live("gateways on one PostgreSQL request a token once", ({ skip }) =>
    Effect.gen(function* () {
      const { query, url } = yield* PostgresServer.make(program ?? skip("PostgreSQL is not installed"))
      yield* shareOneToken({ type: "postgres", url, encryption_key: "a-good-key-of-32-characters-or-more" })
      assert.strictEqual(yield* query("SELECT count(*) FROM mcp_oauth_tokens WHERE record IS NOT NULL"), "1")
    })
  )
})
