import * as Clock from "effect/Clock"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { StoreUnavailable } from "@secure-mcp/oauth-core"
import { makeFileTransitions, parseName } from "./FileTransitions.ts"
import type { PrivateDirectory } from "./PrivateDirectory.ts"

/**
 * The leases of a file store, by address, for processes of one machine: they go by its clock. Revisions are times in
 * milliseconds, so that they rise even after the folder was emptied, and one more than the last where that is more.
 */
export interface FileLeases {
  /**
   * The revision of a lease, higher than any before it; undefined while another one lasts.
   *
   * @param last the revision of what is stored
   */
  readonly give: (
    address: string,
    timeToLive: Duration.Duration,
    last: number
  ) => Effect.Effect<number | undefined, StoreUnavailable>
  /** False once a later lease was given. */
  readonly renew: (
    address: string,
    lease: number,
    timeToLive: Duration.Duration
  ) => Effect.Effect<boolean, StoreUnavailable>
  readonly release: (address: string, lease: number) => Effect.Effect<void, StoreUnavailable>
  /** Makes earlier leases too late to write; says whether this one is not too late itself. */
  readonly supersede: (address: string, lease: number) => Effect.Effect<boolean, StoreUnavailable>
  /**
   * Makes all leases given so far too late to write, and gives a revision above them. For a removal the revision is
   * on record for a day, for a write only if there was a lease: without a lease no write can be late.
   *
   * @param last the revision of what is stored
   */
  readonly supersedeAll: (
    address: string,
    reason: "write" | "removal",
    last: number
  ) => Effect.Effect<number, StoreUnavailable>
}

const LeaseState = Schema.fromJsonString(
  Schema.Struct({
    /** Identifies the caller that acquired the last lease. */
    holder: Schema.String,
    /** The revision of that lease. */
    given: Schema.Int,
    /** When it ends or has ended, in milliseconds since the epoch. */
    endsAt: Schema.Finite,
    /** The revision of the last write: that of its lease, or one of its own. */
    written: Schema.Int
  })
)
type LeaseState = typeof LeaseState.Type

/** Opens the leases in a folder. */
export const openFileLeases = Effect.fnUntraced(function* (directory: PrivateDirectory) {
  const random = yield* SecureRandom.SecureRandom
  const { transition } = makeFileTransitions(directory)
  yield* dropForgotten(directory)

  /** Changes the state in one step, at this moment; gives what `next` says of it. */
  const change = <A>(
    address: string,
    next: (state: LeaseState, now: number) => readonly [result: A, next: LeaseState | undefined]
  ): Effect.Effect<A, StoreUnavailable> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      transition(address, (content) => {
        const [result, state] = next(decodeState(content), now)
        return [result, state && utf8.encode(encodeState(state))]
      })
    )

  return {
    give: Effect.fnUntraced(function* (address, timeToLive, last) {
      const holder = yield* random.uuidV4()
      return yield* change(address, (state, now) => {
        // A retry: our earlier attempt wrote this state, and another process has since advanced it.
        if (state.holder === holder) return [state.given, undefined]
        if (now < state.endsAt) return [undefined, undefined]
        const given = Math.max(nextRevision(state, now), last + 1)
        return [given, { ...state, holder, given, endsAt: now + Duration.toMillis(timeToLive) }]
      })
    }),

    renew: (address, lease, timeToLive) =>
      change(address, (state, now) =>
        state.given === lease
          ? [true, { ...state, endsAt: now + Duration.toMillis(timeToLive) }]
          : [false, undefined]
      ),

    release: (address, lease) =>
      change(address, (state, now) => [
        undefined,
        state.given === lease ? { ...state, endsAt: now } : undefined
      ]),

    supersede: (address, lease) =>
      change(address, (state) =>
        state.written <= lease ? [true, { ...state, written: lease }] : [false, undefined]
      ),

    supersedeAll: (address, reason, last) =>
      change(address, (state, now) => {
        const written = Math.max(nextRevision(state, now), last + 1)
        const superseded = { ...state, endsAt: Math.max(state.endsAt, now), written }
        return [written, reason === "write" && state.given === 0 ? undefined : superseded]
      })
  } satisfies FileLeases
})

const nextRevision = ({ given, written }: LeaseState, now: number): number =>
  Math.max(Math.floor(now), given + 1, written + 1)

/** What ended a day ago concerns no process that is still at work. */
const dropForgotten = Effect.fnUntraced(function* (directory: PrivateDirectory) {
  const before = (yield* Clock.currentTimeMillis) - Duration.toMillis(Duration.days(1))
  for (const name of yield* directory.names) {
    if (parseName(name) === undefined) continue
    if (decodeState(yield* directory.read(name)).endsAt < before) yield* directory.remove(name)
  }
})

/** A state that is missing or cannot be read means that no lease was given. */
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
