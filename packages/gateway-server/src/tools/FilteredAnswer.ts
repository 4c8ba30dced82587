import type { OutgoingHttpHeaders, ServerResponse } from "node:http"
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from "node:zlib"
import type { Transform } from "node:stream"
import { errorCodes, errorResponse, textOf } from "../jsonrpc/JsonRpc.ts"
import { EventFilter } from "./EventFilter.ts"
import { withoutHiddenTools } from "./ListedTools.ts"
import type { ToolCheck } from "./ToolCalls.ts"

/** What becomes of the body of an answer. */
interface Sink {
  readonly write: (chunk: Buffer) => boolean
  readonly end: () => void
  readonly flush: () => void
}

/** What Node writes, before anything of it was replaced. */
type Own = Pick<ServerResponse, "writeHead" | "write" | "end" | "flushHeaders">

/**
 * Makes whatever is written to a response pass without the tools that are not allowed: one place for all servers, whoever writes their
 * answers. Events pass one by one, everything else is read whole. A coding of the server is undone.
 *
 * @param maxBytes of an answer that is read whole, and of one event
 */
export const filterAnswer = (response: ServerResponse, mayUse: ToolCheck, maxBytes: number): void => {
  const own: Own = {
    writeHead: response.writeHead.bind(response),
    write: response.write.bind(response),
    end: response.end.bind(response),
    flushHeaders: response.flushHeaders.bind(response)
  }
  const begin = (status: number, given: OutgoingHttpHeaders | ReadonlyArray<string> | undefined): Sink => {
    const headers = pairsOf(given)
    const kept = headers.filter(([name]) => name !== "content-length" && name !== "content-encoding")
    const coding = valueOf(headers, "content-encoding")
    const isStream = valueOf(headers, "content-type")?.startsWith("text/event-stream") === true
    const plain = isStream
      ? streamSink(own, status, kept, new EventFilter(mayUse, maxBytes), response)
      : wholeSink(own, status, kept, { mayUse, maxBytes })
    return coding === undefined || coding === "identity" ? plain : decodingSink(coding, plain, own, response)
  }

  let begun: Sink | undefined
  /** Who writes no head writes that of Node. */
  const sink = (): Sink => (begun ??= begin(response.statusCode, response.getHeaders()))

  const replaced: Partial<Record<keyof Own, unknown>> = {
    writeHead: (
      status: number,
      first?: string | OutgoingHttpHeaders | ReadonlyArray<string>,
      second?: OutgoingHttpHeaders | ReadonlyArray<string>
    ) => {
      begun = begin(status, typeof first === "string" ? second : first)
      return response
    },
    write: (chunk: string | Uint8Array) => sink().write(bytesOf(chunk)),
    end: (chunk?: string | Uint8Array | null) => {
      if (chunk !== undefined && chunk !== null && chunk.length > 0) sink().write(bytesOf(chunk))
      sink().end()
      return response
    },
    flushHeaders: () => sink().flush()
  }
  Object.assign(response, replaced)
}

const bytesOf = (chunk: string | Uint8Array): Buffer =>
  typeof chunk === "string" ? Buffer.from(chunk) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)

type Pair = readonly [name: string, value: string]

/** With names in lower case. */
const pairsOf = (headers: OutgoingHttpHeaders | ReadonlyArray<string> | undefined): ReadonlyArray<Pair> => {
  if (headers === undefined) return []
  if (!isList(headers))
    return Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [value].flat().map((one): Pair => [name.toLowerCase(), String(one)])
    )
  return Array.from({ length: headers.length / 2 }, (_, index): Pair => [
    String(headers[2 * index]).toLowerCase(),
    String(headers[2 * index + 1])
  ])
}

const isList = (headers: OutgoingHttpHeaders | ReadonlyArray<string>): headers is ReadonlyArray<string> =>
  Array.isArray(headers)

const valueOf = (headers: ReadonlyArray<Pair>, name: string): string | undefined =>
  headers
    .find(([one]) => one === name)?.[1]
    .trim()
    .toLowerCase()

const streamSink = (
  own: Own,
  status: number,
  headers: ReadonlyArray<Pair>,
  filter: EventFilter,
  response: ServerResponse
): Sink => {
  const decoder = new TextDecoder()
  own.writeHead(status, headers.flat())
  return {
    write: (chunk) => {
      const events = filter.read(decoder.decode(chunk, { stream: true }))
      if (events === undefined) response.destroy()
      return events === undefined || events === "" || own.write(events)
    },
    end: () => void own.end((filter.read(decoder.decode()) ?? "") + filter.finish()),
    flush: () => own.flushHeaders()
  }
}

const wholeSink = (
  own: Own,
  status: number,
  headers: ReadonlyArray<Pair>,
  { maxBytes, mayUse }: { readonly mayUse: ToolCheck; readonly maxBytes: number }
): Sink => {
  const chunks: Array<Buffer> = []
  let length = 0
  return {
    write: (chunk) => {
      length += chunk.length
      if (length <= maxBytes) chunks.push(chunk)
      return true
    },
    end: () => {
      if (length > maxBytes)
        return unreadable(own, `has more than ${maxBytes} bytes (\`limits.message_bytes\`)`)
      const body = Buffer.concat(chunks)
      const text = textOf(body)
      const kept = withoutHiddenTools(text, mayUse)
      const sent = kept === text ? body : Buffer.from(kept)
      const described: ReadonlyArray<Pair> = hasNoContent.has(status)
        ? headers
        : [...headers, ["content-length", String(sent.length)]]
      own.writeHead(status, described.flat())
      own.end(sent)
    },
    // Nothing of it is known before all of it is.
    flush: () => undefined
  }
}

const hasNoContent: ReadonlySet<number> = new Set([204, 304])

const decodingSink = (coding: string, plain: Sink, own: Own, response: ServerResponse): Sink => {
  const decoder = decoders[coding]?.()
  if (decoder === undefined) {
    const refuse = () => unreadable(own, "has a content coding that cannot be undone")
    return { write: () => true, end: refuse, flush: () => undefined }
  }
  decoder
    .on("data", (chunk: Buffer) => {
      if (plain.write(chunk)) return
      decoder.pause()
      response.once("drain", () => decoder.resume())
    })
    .on("end", () => plain.end())
    // The client sees that what it has is not all.
    .on("error", () => response.destroy())
  response.once("close", () => decoder.destroy())
  return {
    write: (chunk) => decoder.write(chunk),
    end: () => void decoder.end(),
    flush: () => plain.flush()
  }
}

const decoders: Readonly<Record<string, (() => Transform) | undefined>> = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress
}

const unreadable = (own: Own, problem: string): void => {
  const text = Buffer.from(
    errorResponse(
      undefined,
      errorCodes.gatewayFailure,
      `The answer of the MCP server ${problem}, so the gateway cannot look for tools that are not allowed`
    )
  )
  own.writeHead(502, { "content-type": "application/json", "content-length": text.length })
  own.end(text)
}
