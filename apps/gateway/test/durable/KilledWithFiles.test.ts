import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { fileURLToPath } from "node:url"
import { writeConfig } from "../cli/gatewayProcess.ts"
import { assertTheNextGoesOn, grant, killAt, runToItsEnd } from "./KilledProcess.ts"
import { type RefreshWatch, startRotatingServer } from "./RotatingServer.ts"

describe("a process that is killed while it renews a grant in the file store", () => {
  it.live(
    "a gateway killed at any step of a renewal in the file store leaves a state that the next one can use",
    () =>
      Effect.gen(function* () {
        const server = yield* startRotatingServer
        const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
        const script = fileURLToPath(new URL("fixtures/killedRenewal.ts", import.meta.url))

        const run = Effect.fnUntraced(function* (name: string, step: number, moment?: keyof RefreshWatch) {
          const document = {
            store: { type: "file", directory: `${directory}/${name}` },
            servers: [server.entry]
          }
          yield* grant(document, name)
          const config = yield* writeConfig(document)
          const ended = yield* runToItsEnd(
            ["--conditions=@secure-mcp/source", script, config, String(step)],
            {},
            (kill) => (moment === undefined ? Effect.void : server.watch(name, killAt(moment, kill)))
          )
          return { ...ended, name, document }
        })

        const { said } = yield* run("survivor", 0)
        const steps = Number(said.trim().split("\n").at(-1))
        assert.isAbove(steps, 20)
        const killed = yield* Effect.all(
          [
            run("arrived", 0, "arrived"),
            run("handled", 0, "handled"),
            ...Array.from({ length: steps }, (_, index) => run(`step-${index + 1}`, index + 1))
          ],
          { concurrency: 3 }
        )
        assert.isTrue(killed.every((one) => one.killed))
        yield* assertTheNextGoesOn(server, killed)
      }).pipe(Effect.provide(NodeServices.layer)),
    180_000
  )
})
