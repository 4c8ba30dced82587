import { OAuthEventListeners, type OAuthEvent } from "@secure-mcp/oauth-core"
import { type Ordered, UseOrder } from "@secure-mcp/oauth-core/internal"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Caller, personOf } from "../callers/Person.ts"
import { shortClientName } from "../jsonrpc/ClientName.ts"
import type { LastError } from "./LastErrors.ts"

/** What is remembered of one person at one server, in this process. Times are milliseconds since the epoch. */
export interface Activity {
  readonly lastUseAt?: number | undefined
  /** Until a token is obtained again. */
  readonly lastError?: LastError | undefined
  /** What the client called itself that asked for the last login. Anybody can call a client so. */
  readonly askedBy?: string | undefined
}

/**
 * What each person does at each server, since this process was started: nothing of it is stored. The person is `personOf` a
 * caller, and `subject` in the keys of tokens. Nothing is remembered of callers without one.
 *
 * Remembers 10,000 pairs of server and person. Beyond them the pair goes of which nothing was heard for the longest time.
 */
export class PersonActivity extends Context.Service<
  PersonActivity,
  {
    /**
     * A caller uses a server. Synchronous, for every request: fast for a caller who is the same object each time.
     */
    readonly use: (serverName: string, caller: Caller) => void
    /** Takes the failures and successes of a person's token out of the events. */
    readonly note: (event: OAuthEvent) => Effect.Effect<void>
    /**
     * An MCP client asks a person to log in.
     *
     * @param client what it calls itself, of which 100 characters are remembered; undefined if it says nothing of itself
     */
    readonly ask: (serverName: string, person: string | undefined, client: string | undefined) => void
    readonly get: (serverName: string, person: string) => Activity
  }
>()("@secure-mcp/gateway/PersonActivity") {
  static readonly layer: Layer.Layer<PersonActivity> = Layer.effect(
    PersonActivity,
    Effect.suspend(() => make)
  )

  /** Records what happens to the tokens of persons. */
  static readonly layerEvents = OAuthEventListeners.listen(
    Effect.map(PersonActivity, ({ note }) => ({
      name: "activity of persons",
      receive: note,
      // They say nothing of the person.
      countHit: () => undefined
    }))
  )
}

/** Pairs of server and person. */
const capacity = 10_000

/** One person at one server. */
interface Entry extends Ordered<Entry> {
  readonly serverName: string
  readonly person: string
  lastUseAt: number | undefined
  lastError: LastError | undefined
  askedBy: string | undefined
}

/** The entries of one server. */
interface ServerEntries {
  readonly ofPersons: Map<string, Entry>
  /** The same, so that the person of a caller need not be looked up on each request. May have some that are forgotten. */
  readonly ofCallers: WeakMap<Caller, Entry>
}

const make = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const servers = new Map<string, ServerEntries>()
  const order = new UseOrder<Entry>()
  let size = 0

  const entriesOf = (serverName: string): ServerEntries => {
    const known = servers.get(serverName)
    if (known !== undefined) return known
    const entries: ServerEntries = { ofPersons: new Map(), ofCallers: new WeakMap() }
    servers.set(serverName, entries)
    return entries
  }

  const find = (serverName: string, person: string): Entry | undefined =>
    servers.get(serverName)?.ofPersons.get(person)

  /** The entry of a person, which was heard of now. */
  const hear = (serverName: string, person: string): Entry => {
    const entry = find(serverName, person) ?? add(serverName, person)
    order.use(entry)
    return entry
  }

  const add = (serverName: string, person: string): Entry => {
    if (size >= capacity) forgetOldest()
    const entry: Entry = {
      serverName,
      person,
      lastUseAt: undefined,
      lastError: undefined,
      askedBy: undefined,
      older: undefined,
      newer: undefined
    }
    entriesOf(serverName).ofPersons.set(person, entry)
    size += 1
    return entry
  }

  const forgetOldest = (): void => {
    const { oldest } = order
    if (oldest === undefined) return
    order.remove(oldest)
    servers.get(oldest.serverName)?.ofPersons.delete(oldest.person)
    size -= 1
  }

  const hearCaller = (serverName: string, caller: Caller): Entry | undefined => {
    const person = personOf(caller)
    if (person === undefined) return undefined
    const entry = hear(serverName, person)
    entriesOf(serverName).ofCallers.set(caller, entry)
    return entry
  }

  return PersonActivity.of({
    use: (serverName, caller) => {
      const known = servers.get(serverName)?.ofCallers.get(caller)
      const isKept = known !== undefined && order.has(known)
      if (isKept) order.use(known)
      const entry = isKept ? known : hearCaller(serverName, caller)
      if (entry !== undefined) entry.lastUseAt = clock.currentTimeMillisUnsafe()
    },

    note: (event) =>
      Effect.sync(() => {
        if (event._tag === "AcquisitionFailed" && event.subject !== undefined) {
          const at = DateTime.formatIso(DateTime.makeUnsafe(clock.currentTimeMillisUnsafe()))
          hear(event.serverName, event.subject).lastError = { reason: event.reason, at }
        } else if (event._tag === "TokenAcquired" && event.subject !== undefined) {
          const entry = find(event.serverName, event.subject)
          if (entry !== undefined) entry.lastError = undefined
        }
      }),

    ask: (serverName, person, client) => {
      if (person === undefined) return
      hear(serverName, person).askedBy = client === undefined ? undefined : shortClientName(client)
    },

    get: (serverName, person) => {
      const entry = find(serverName, person)
      return { lastUseAt: entry?.lastUseAt, lastError: entry?.lastError, askedBy: entry?.askedBy }
    }
  })
})
