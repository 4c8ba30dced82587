import * as Effect from "effect/Effect"
import { connect } from "node:net"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { pause } from "../clients/Traffic.ts"
import { serveHonest, startTarget } from "./Target.ts"

export const inspector: Attack = {
  name: "inspector",
  tries:
    "SIGUSR1, by which Node opens its inspector to everybody on the machine; through: the inspector listens",
  run: () =>
    Effect.gen(function* () {
      const tally = makeTally()
      const target = yield* startTarget()
      yield* Effect.promise(async () => {
        for (let count = 0; count < 3; count += 1) {
          target.gateway.child.kill("SIGUSR1")
          await pause(400)
        }
        tally.expect(!target.gateway.output().includes("Debugger listening"), "the inspector listens")
        tally.expect(!(await listens(9229)), "port 9229 is open")
        tally.expect((await serveHonest(target)).isServed, "an honest client is not served afterwards")
      })
      return tally.outcome()
    })
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    const end = (isOpen: boolean) => {
      socket.destroy()
      resolve(isOpen)
    }
    socket.once("connect", () => end(true)).once("error", () => end(false))
  })
