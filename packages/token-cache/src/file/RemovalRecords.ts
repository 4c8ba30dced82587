import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { StoreUnavailable } from "@secure-mcp/oauth-core"
import { removalRecordLife, type RemovedToken } from "../store/StoreEntry.ts"
import type { PrivateDirectory } from "./PrivateDirectory.ts"

/** Remembers which tokens were removed: one small file for each, `<address>.removed`, without a name in it. */
export interface RemovalRecords {
  readonly get: (address: string) => Effect.Effect<RemovedToken | undefined, StoreUnavailable>
  readonly set: (address: string, removal: RemovedToken) => Effect.Effect<void, StoreUnavailable>
}

const RemovalRecord = Schema.fromJsonString(
  Schema.Struct({
    revision: Schema.Finite,
    /** Milliseconds since the epoch. */
    removedAt: Schema.Finite
  })
)

/** Opens the records in a folder, and drops those that are older than `removalRecordLife`. */
export const openRemovalRecords = Effect.fnUntraced(function* (directory: PrivateDirectory) {
  const read = (name: string) => Effect.map(directory.read(name), decodeRemoval)

  const before = (yield* Clock.currentTimeMillis) - Duration.toMillis(removalRecordLife)
  for (const name of (yield* directory.names).filter((one) => one.endsWith(suffix))) {
    const removal = yield* read(name)
    if (removal === undefined || removal.removedAt < before) yield* directory.remove(name)
  }

  return {
    get: (address) => read(address + suffix),
    set: (address, { removedAt, revision }) =>
      directory.write(address + suffix, utf8.encode(encodeRecord({ removedAt, revision })))
  } satisfies RemovalRecords
})

const suffix = ".removed"

const decodeRemoval = (content: Uint8Array | undefined): RemovedToken | undefined =>
  content === undefined
    ? undefined
    : Option.getOrUndefined(
        Option.map(decodeRecord(new TextDecoder().decode(content)), (record) => ({
          _tag: "Removed",
          ...record
        }))
      )

const decodeRecord = Schema.decodeOption(RemovalRecord)
const encodeRecord = Schema.encodeSync(RemovalRecord)
const utf8 = new TextEncoder()
