import * as Clock from "effect/Clock"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { StoreUnavailable } from "@secure-mcp/oauth-core"
import { makeFileTransitions, parseName } from "./FileTransitions.ts"
import { openPrivateDirectory, type PrivateDirectory } from "./PrivateDirectory.ts"

/** The leases of a file store, by address, for processes of one machine: they go by its clock. */
export interface FileLeases {
  /** The number of a lease, higher than any before it; undefined while another one lasts. */
  readonly give: (
    address: string,
    timeToLive: Duration.Duration
  ) => Effect.Effect<number | undefined, StoreUnavailable>
  /** False once a later lease was given. */
  readonly renew: (
    address: string,
    lease: number,
    timeToLive: Duration.Duration
  ) => Effect.Effect<boolean, StoreUnavailable>
  readonly takeBack: (address: string, lease: number) => Effect.Effect<void, StoreUnavailable>
  /** Makes earlier leases too late to write; says whether this one is not too late itself. */
  readonly supersede: (address: string, lease: number) => Effect.Effect<boolean, StoreUnavailable>
  /** Makes all leases given so far too late to write. */
  readonly supersedeAll: (address: string) => Effect.Effect<void, StoreUnavailable>
}

const LeaseState = Schema.fromJsonString(
  Schema.Struct({
    /** Who has the lease that was given last. */
    holder: Schema.String,
    /** The number of that lease. */
    given: Schema.Int,
    /** When it ends or has ended, in milliseconds since the epoch. */
    endsAt: Schema.Finite,
    /** The number of the last write: that of its lease, or one of its own. */
    written: Schema.Int
  })
)
type LeaseState = typeof LeaseState.Type

/** Opens the folder of the leases, and makes it if need be. */
export const openFileLeases = Effect.fnUntraced(function* (path: string) {
  const directory = yield* openPrivateDirectory(path)
  const random = yield* SecureRandom.SecureRandom
  const { transition } = makeFileTransitions(directory)
  yield* dropForgotten(directory)

  /** A change of the state, made at this moment. */
  const change = (
    address: string,
    next: (state: LeaseState, now: number, number: number) => LeaseState | undefined
  ) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      transition(address, (content, number) => {
        const state = next(decodeState(content), now, number)
        return state && utf8.encode(encodeState(state))
      })
    )

  const give: FileLeases["give"] = Effect.fnUntraced(function* (address, timeToLive) {
    const holder = yield* random.uuidV4()
    let given: number | undefined
    yield* change(address, (state, now, number) => {
      // Asked again after somebody has gone on from the state that gave it.
      if (state.holder === holder) return undefined
      given = now < state.endsAt ? undefined : number
      return given === undefined
        ? undefined
        : { ...state, holder, given, endsAt: now + Duration.toMillis(timeToLive) }
    })
    return given
  })

  const renew: FileLeases["renew"] = Effect.fnUntraced(function* (address, lease, timeToLive) {
    let isOurs = false
    yield* change(address, (state, now) => {
      isOurs = state.given === lease
      return isOurs ? { ...state, endsAt: now + Duration.toMillis(timeToLive) } : undefined
    })
    return isOurs
  })

  const supersede: FileLeases["supersede"] = Effect.fnUntraced(function* (address, lease) {
    let isInTime = false
    yield* change(address, (state) => {
      isInTime = state.written <= lease
      return isInTime ? { ...state, written: lease } : undefined
    })
    return isInTime
  })

  return {
    give,
    renew,
    takeBack: (address, lease) =>
      change(address, (state, now) => (state.given === lease ? { ...state, endsAt: now } : undefined)),
    supersede,
    supersedeAll: (address) =>
      change(address, (state, now, number) =>
        // Without a lease there is nobody to be too late.
        state.given === 0 ? undefined : { ...state, endsAt: Math.max(state.endsAt, now), written: number }
      )
  } satisfies FileLeases
})

/** What ended a day ago concerns no process that is still at work. */
const dropForgotten = Effect.fnUntraced(function* (directory: PrivateDirectory) {
  const before = (yield* Clock.currentTimeMillis) - Duration.toMillis(Duration.days(1))
  for (const name of yield* directory.names) {
    if (parseName(name) === undefined) continue
    if (decodeState(yield* directory.read(name)).endsAt < before) yield* directory.remove(name)
  }
})

/** What cannot be read, or is not there, is a lease that nobody has. */
const decodeState = (content: Uint8Array | undefined): LeaseState =>
  Option.getOrElse(decode(new TextDecoder().decode(content)), () => ({
    holder: "",
    given: 0,
    endsAt: 0,
    written: 0
  }))

const encodeState = Schema.encodeSync(LeaseState)
const decode = Schema.decodeOption(LeaseState)
const utf8 = new TextEncoder()
