import * as Effect from "effect/Effect"
import { type Attack, makeTally, type Tally } from "../attack/Attack.ts"
import { reasonOf } from "../clients/McpCall.ts"
import { pause, type Sent } from "../clients/Traffic.ts"
import type { Trouble } from "../servers/AuthorizationServer.ts"
import { isSuccess, sendDuring, startPersonsAndMachine } from "./PersonsAndMachine.ts"

interface Bounds {
  readonly trouble: Trouble
  /** The share of requests that may fail. */
  readonly share: number
  /** Milliseconds after the outage from which on no request that begins may fail. */
  readonly after: number
}

const outage = 300

interface Load {
  /** Requests a second. */
  readonly rate: number
  readonly seconds: number
  /** Seconds that a token lives. */
  readonly lifetime: number
}

const fullLoad: Load = { rate: 200, seconds: 10, lifetime: 1 }
// On a slow machine, tokens of one second would expire before they arrive.
const shortLoad: Load = { rate: 100, seconds: 5, lifetime: 2 }

/** An outage of 0.3 s under load. */
const throughOutage = (bounds: Bounds, tally: Tally, load: Load) =>
  Effect.gen(function* () {
    const { authorizationServer, gateway, routes } = yield* startPersonsAndMachine({
      lifetime: load.lifetime
    })
    // The first requests load modules and compile them.
    yield* Effect.promise(() => sendDuring(routes, { rate: 50, seconds: 1.5 }, () => pause(0)))
    yield* Effect.promise(gateway.beginMeasurement)
    const [sent, endsAt] = yield* Effect.promise(() =>
      sendDuring(routes, load, async () => {
        await pause(2000)
        authorizationServer.state.trouble = bounds.trouble
        await pause(outage)
        authorizationServer.state.trouble = undefined
        return performance.now()
      })
    )
    judge(sent, endsAt, bounds, tally)
    tally.figure("grants lost", authorizationServer.state.lostGrants)
    tally.figure("slowest", Math.max(...sent.map(({ duration }) => duration)), " ms")
  })

const judge = (sent: ReadonlyArray<Sent>, endsAt: number, bounds: Bounds, tally: Tally): void => {
  const late = sent.filter(({ at }) => at > endsAt + bounds.after)
  for (const one of late) tally.expect(isSuccess(one), `${one.route} failed long after: ${reasonOf(one)}`)
  for (const route of ["persons", "machine"]) {
    const own = sent.filter((one) => one.route === route)
    const failed = own.filter((one) => !isSuccess(one))
    const share = failed.length / own.length
    tally.figure(`${route} failed`, `${failed.length} of ${own.length}`)
    tally.expect(
      share <= bounds.share,
      `${(share * 100).toFixed(1)} % of ${route} failed: ${[...new Set(failed.map(reasonOf))].join(", ")}`
    )
  }
}

const outageAttack = (name: string, tries: string, bounds: Bounds): Attack => ({
  name,
  tries,
  run: ({ isShort }) =>
    Effect.gen(function* () {
      const tally = makeTally()
      yield* throughOutage(bounds, tally, isShort ? shortLoad : fullLoad)
      return tally.outcome()
    })
})

export const shortOutages: ReadonlyArray<Attack> = [
  outageAttack(
    "short-outage",
    "the token endpoint answers 503 for 0.3 s; through: more than 1 % of requests fail, or one that began a second later",
    { trouble: "unavailable", share: 0.01, after: 1000 }
  ),
  outageAttack(
    "broken-connection",
    "the token endpoint closes connections after it has read a request; through: more than 5 % fail, or one that began 1.5 s later",
    { trouble: "breaks", share: 0.05, after: 1500 }
  ),
  outageAttack(
    "lost-answer",
    "the answers that replace refresh tokens are lost for 0.3 s, and the old ones good for five more; through: as above",
    { trouble: "loses answers", share: 0.05, after: 1500 }
  )
]
