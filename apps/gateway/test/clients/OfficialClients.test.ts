import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { baseEnvironment, commandLine, serve, writeConfig } from "../cli/gatewayProcess.ts"
import { serveEverything } from "./everythingOverHttp.ts"
import { officialClients, type Target, type TestClient } from "./officialClients.ts"

const everything = {
  command: process.execPath,
  args: [
    createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/dist/index.js"),
    "stdio"
  ]
}
const slowWriter = {
  command: process.execPath,
  args: [fileURLToPath(new URL("./fixtures/slowWriter.ts", import.meta.url))]
}

/** A running `serve`, with the server in an entry of its own. */
const behindServe = Effect.fnUntraced(function* (config: object) {
  const { url } = yield* serve({ servers: [{ server_name: "everything", config }] })
  return { url: `${url}/servers/everything/mcp` } satisfies Target
})

/** The command `stdio`, which the client starts. */
const behindStdio = Effect.fnUntraced(function* (config: object) {
  const file = yield* writeConfig({ servers: [{ server_name: "everything", config }] })
  return {
    command: process.execPath,
    args: commandLine("stdio", "everything", "--config", file),
    env: baseEnvironment
  } satisfies Target
})

const ways = {
  "serve and a child process": behindServe(everything),
  "serve and a child process that writes one byte at a time": behindServe(slowWriter),
  "serve and a server of Streamable HTTP": Effect.flatMap(serveEverything, ({ http }) =>
    behindServe({ url: http })
  ),
  "serve and a server of HTTP+SSE": Effect.flatMap(serveEverything, ({ sse }) =>
    behindServe({ url: sse, transport: "sse" })
  ),
  "stdio and a child process": behindStdio(everything),
  "stdio and a server of Streamable HTTP": Effect.flatMap(serveEverything, ({ http }) =>
    behindStdio({ url: http })
  ),
  "stdio and a server of HTTP+SSE": Effect.flatMap(serveEverything, ({ sse }) =>
    behindStdio({ url: sse, transport: "sse" })
  )
}

/**
 * The first two steps of an operation of three. The SDK forgets whom to tell of a step that comes in one chunk with the result: where a
 * busy machine lets that happen to one of the two, a longer operation is tried.
 */
const stepsOf = Effect.fnUntraced(function* (client: TestClient) {
  const steps: Array<number> = []
  for (const duration of [0.3, 3, 30]) {
    steps.length = 0
    const long = yield* client.call(
      "trigger-long-running-operation",
      { duration, steps: 3 },
      { onprogress: ({ progress }) => steps.push(progress) }
    )
    assert.include(long, "completed")
    if (steps.length >= 2) break
  }
  return steps.slice(0, 2)
})

const text = "Grüße, 世界, 👩‍🚀, \u2028 and \\u0000"

describe.each(Object.entries(officialClients))("%s", (clientName, connect) => {
  layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    it.effect.each(Object.entries(ways))(
      `${clientName} uses every feature of a server through %s`,
      ([, way]) =>
        Effect.gen(function* () {
          const client = yield* connect(yield* way)
          assert.include(yield* client.tools, "trigger-sampling-request")
          assert.include(yield* client.call("echo", { message: text }), JSON.stringify(text).slice(1, -1))
          yield* client.ping
          assert.property(yield* client.prompt("simple-prompt"), "messages")
          assert.include(
            JSON.stringify(yield* client.readResource("demo://resource/dynamic/text/1")),
            "This is a plaintext resource"
          )

          assert.deepStrictEqual(yield* stepsOf(client), [1, 2])

          // The server asks the client while it answers, and several calls are under way at the same time.
          const answers = yield* Effect.forEach(
            ["one", "two", "three"],
            (prompt) => client.call("trigger-sampling-request", { prompt, maxTokens: 10 }),
            { concurrency: "unbounded" }
          )
          for (const answer of answers) assert.include(answer, "sampled by the client")
        })
    )
  })
})
