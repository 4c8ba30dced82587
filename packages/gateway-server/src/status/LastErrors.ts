import { isPersonalGrant, OAuthEventListeners, type OAuthEvent } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as UserDirectories from "effect/persistence/UserDirectories"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import type { GatewayConfig } from "../config/GatewayConfig.ts"

/** The last error with the token of a server. Contains no secret. */
export const LastError = Schema.Struct({
  /** The reason, as in `data.reason` of an error answer. */
  reason: Schema.String,
  /** The time, in ISO 8601. */
  at: Schema.String
})

/** The last error with the token of a server. */
export interface LastError extends Schema.Schema.Type<typeof LastError> {}

/** The last error of each server, until a token is obtained again. */
export class LastErrors extends Context.Service<
  LastErrors,
  {
    /** Records an event: a failure, or a success that removes the last error. */
    readonly note: (event: OAuthEvent) => Effect.Effect<void>
    readonly get: (serverName: string) => Effect.Effect<LastError | undefined>
  }
>()("@secure-mcp/gateway/LastErrors") {
  /** If people log in to any server, errors are stored in files, so that `status` can show those of `serve`. */
  static readonly layer = (config: GatewayConfig) =>
    Layer.effect(LastErrors, make).pipe(Layer.provide(notes(config)))

  /** Records the errors among the events. */
  static readonly layerEvents = OAuthEventListeners.listen(
    Effect.map(LastErrors, ({ note }) => ({
      name: "last errors",
      receive: note,
      // They happen on every request, and are no errors.
      countHit: () => undefined
    }))
  )
}

const make = Effect.gen(function* () {
  const store = yield* KeyValueStore.KeyValueStore
  const notes = KeyValueStore.toSchemaStore(store, LastError)

  const note = Effect.fnUntraced(function* (event: OAuthEvent) {
    if (event._tag === "AcquisitionFailed") {
      const at = DateTime.formatIso(DateTime.makeUnsafe(yield* Clock.currentTimeMillis))
      yield* notes.set(event.serverName, { reason: event.reason, at })
    } else if (event._tag === "TokenAcquired") {
      yield* notes.remove(event.serverName)
    }
  })

  return LastErrors.of({
    // An error that cannot be recorded must not fail the operation.
    note: (event) => Effect.ignore(note(event)),
    get: (serverName) =>
      notes.get(serverName).pipe(
        Effect.map(Option.getOrUndefined),
        Effect.orElseSucceed(() => undefined)
      )
  })
})

const notes = ({ servers, store }: GatewayConfig) =>
  store.type !== "memory" &&
  servers.some(({ oauth }) => oauth !== undefined && isPersonalGrant(oauth.grantType))
    ? Layer.unwrap(Effect.map(notesDirectory, KeyValueStore.layerFileSystem)).pipe(
        Layer.provide(UserDirectories.layer),
        Layer.catch(() => KeyValueStore.layerMemory)
      )
    : KeyValueStore.layerMemory

const notesDirectory = Effect.gen(function* () {
  const path = yield* Path.Path
  const directories = yield* UserDirectories.UserDirectories
  return path.join(yield* directories.state("secure-mcp-gateway"), "last-errors")
})
