import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { redisProgram, RedisServer, requireProgram } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { beforeAll } from "vitest"
import { commandLine, writeConfig } from "../cli/gatewayProcess.ts"
import { assertTheNextGoesOn, grant, killAt, runToItsEnd } from "./KilledProcess.ts"
import { tapRedis } from "./RedisTap.ts"
import { type RefreshWatch, startRotatingServer } from "./RotatingServer.ts"

describe("a gateway that is killed while it renews a grant in Redis", () => {
  let program: string | undefined
  beforeAll(() => {
    program = requireProgram(redisProgram)
  })

  it.live(
    "a gateway killed at any message of a renewal in Redis leaves a state that the next one can use",
    ({ skip }) =>
      Effect.gen(function* () {
        const redis = yield* RedisServer.make(program ?? skip("no redis-server"))
        const server = yield* startRotatingServer

        /** Runs the command, and kills it at a message to or from Redis, or at a moment of the refresh. */
        const run = Effect.fnUntraced(function* (name: string, message: number, moment?: keyof RefreshWatch) {
          const documentAt = (port: number) => ({
            store: {
              type: "redis",
              url: `redis://127.0.0.1:${port}`,
              key_prefix: name,
              encryption_key: "a-good-key-of-32-characters-or-more"
            },
            servers: [server.entry]
          })
          yield* grant(documentAt(redis.port), name)
          const progress = { messages: 0, kill: () => {} }
          const port = yield* tapRedis(redis.port, () => {
            progress.messages += 1
            if (progress.messages !== message) return true
            progress.kill()
            return false
          })
          const config = yield* writeConfig(documentAt(port))
          const ended = yield* runToItsEnd(
            commandLine("token", "notes", "--config", config, "--force-refresh"),
            {},
            (kill) => {
              progress.kill = kill
              return moment === undefined ? Effect.void : server.watch(name, killAt(moment, kill))
            }
          )
          return { ...ended, name, document: documentAt(redis.port), messages: progress.messages }
        })

        const { messages } = yield* run("survivor", 0)
        assert.isAbove(messages, 10)
        const runs = yield* Effect.all(
          [
            run("arrived", 0, "arrived"),
            run("handled", 0, "handled"),
            ...Array.from({ length: messages }, (_, index) => run(`message-${index + 1}`, index + 1))
          ],
          { concurrency: 3 }
        )
        // What two messages were in one run may be one in another: then the last ones are never reached.
        const killed = runs.filter((one) => one.killed)
        assert.isAtLeast(killed.length, messages - 5)
        yield* assertTheNextGoesOn(server, killed)
      }).pipe(Effect.provide(NodeServices.layer)),
    180_000
  )
})
