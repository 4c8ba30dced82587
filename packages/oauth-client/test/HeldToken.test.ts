import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { makeClient, makeServers } from "./Servers.ts"

/** What a call gives, and whether the process came to anything else meanwhile: a timer, or a socket. */
const withTurn = async <A>(call: () => Promise<A>) => {
  let isTurned = false
  const turn = setImmediate(() => {
    isTurned = true
  })
  const given = await call()
  clearImmediate(turn)
  return { given, isTurned }
}

describe("a token that is held", () => {
  // What it costs is measured by `npm run bench -- cached`.
  it.live("a held token is given without a turn of the event loop, and a new one is not", () =>
    Effect.gen(function* () {
      const { options } = yield* makeServers
      const client = yield* makeClient(options)
      const first = yield* Effect.promise(() => withTurn(() => client.getAccessToken()))
      const held = yield* Effect.promise(() => withTurn(() => client.getAccessToken()))
      assert.deepStrictEqual([first.isTurned, held.isTurned], [true, false])
      assert.strictEqual(held.given, first.given)
    })
  )
})
