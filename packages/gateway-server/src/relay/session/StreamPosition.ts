import { createHash } from "node:crypto"
import type * as Duration from "effect/Duration"
import type * as Sse from "effect/encoding/Sse"

/** How far a stream of events was read, over all of its connections. */
export interface StreamPosition {
  /** Where it can be resumed (`Last-Event-ID`); undefined if its events have no ids. */
  readonly lastEventId: string | undefined
  /** How long the server wants to be left alone before that. */
  readonly retry: Duration.Duration | undefined
  /** How many events there were, repetitions not counted. */
  readonly events: number
  /** Fingerprints of the latest events that have ids. */
  readonly latest: ReadonlyArray<string>
  /** Whether the connection is a resumption that has brought nothing new yet. */
  readonly isRepeating: boolean
}

/** The position of a stream of which nothing was read. */
export const streamStart: StreamPosition = {
  lastEventId: undefined,
  retry: undefined,
  events: 0,
  latest: [],
  isRepeating: false
}

/** The position when a connection resumes the stream. */
export const resumed = (position: StreamPosition): StreamPosition => ({
  ...position,
  isRepeating: position.latest.length > 0
})

/** How many events are remembered to recognise repetitions. */
const remembered = 256

/**
 * The position after an event, and the text of a message that the event brings. Some servers repeat at a resumption what
 * was delivered already, at its beginning: such events bring nothing. Later ones do, even if one looks like another, because some
 * servers number the events of each connection anew.
 */
export const advance = (
  position: StreamPosition,
  event: Sse.AnyEvent
): readonly [text: string | undefined, next: StreamPosition] => {
  if (event._tag === "Retry") return [undefined, { ...position, retry: event.duration }]
  const { data, id } = event
  const hasId = id !== undefined && id !== ""
  const lastEventId = id === undefined ? position.lastEventId : hasId ? id : undefined
  const fingerprint = hasId ? fingerprintOf(id, data) : undefined
  const isRepetition =
    position.isRepeating && fingerprint !== undefined && position.latest.includes(fingerprint)
  if (isRepetition) return [undefined, { ...position, lastEventId }]
  return [
    event.event === "message" && data !== "" ? data : undefined,
    {
      ...position,
      lastEventId,
      events: position.events + 1,
      latest:
        fingerprint === undefined ? position.latest : [...position.latest.slice(1 - remembered), fingerprint],
      isRepeating: false
    }
  ]
}

const fingerprintOf = (id: string, data: string): string =>
  createHash("sha256").update(`${id.length} ${id}`).update(data).digest("base64")

/** The header that resumes a stream, in the bytes of its id: an id need not be ASCII. */
export const resumptionHeaders = ({ lastEventId }: StreamPosition): Record<string, string> =>
  lastEventId === undefined ? {} : { "last-event-id": Buffer.from(lastEventId).toString("latin1") }
