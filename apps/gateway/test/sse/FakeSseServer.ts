import type { UpstreamFailed } from "../../../../packages/gateway-server/src/fetch/Fetch.ts"
import {
  empty,
  event,
  events,
  FakeBody,
  type Handler,
  json,
  makeFakeServer,
  result,
  type Seen
} from "../relay/FakeServer.ts"

/** A server of HTTP+SSE: it names an endpoint, accepts messages there and answers on the stream. */
export const makeSseServer = (
  options: {
    /** What its event `endpoint` says. */
    readonly endpoint?: (count: number) => string
    /** How it answers a GET instead. */
    readonly get?: (count: number) => ReturnType<Handler> | UpstreamFailed | undefined
    /** How it answers a POST instead. */
    readonly post?: (seen: Seen, stream: FakeBody) => ReturnType<Handler> | undefined
    /** What it does with a request. */
    readonly handle?: (seen: Seen, stream: FakeBody, count: number) => void
  } = {}
) => {
  const streams: Array<FakeBody> = []
  let gets = 0
  const server = makeFakeServer((seen) => {
    if (seen.method === "GET") {
      gets += 1
      const other = options.get?.(gets)
      if (other !== undefined) return other
      const stream = new FakeBody()
      streams.push(stream)
      stream.write(
        `event: endpoint\ndata: ${options.endpoint?.(streams.length) ?? `/messages?session=${streams.length}`}\n\n`
      )
      return events(stream)
    }
    const count = Number(seen.url?.searchParams.get("session") ?? streams.length)
    const stream = streams[count - 1]
    if (stream === undefined || seen.url === undefined) return empty(405)
    const other = options.post?.(seen, stream)
    if (other !== undefined) return other
    if (seen.message.id !== undefined && seen.message.method !== undefined)
      if (options.handle === undefined) stream.write(event(result(seen.message.id, { stream: count })))
      else options.handle(seen, stream, count)
    return json("Accepted", 202)
  })
  return { ...server, streams }
}
