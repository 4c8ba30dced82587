import { request } from "node:http"
import { Readable } from "node:stream"
import { mcpHeaders } from "./McpRequest.ts"

export interface SlowTransfer {
  readonly url: string
  /** Sent, and expected back. */
  readonly bytes: number
}

/** Bytes after which the reader rests. */
const stretch = 16 * 2 ** 20

/** Milliseconds that it rests. */
const rest = 30

const block = Buffer.alloc(64 * 1024, "a")

/** Sends a long body, and then reads an answer of the same length with pauses. Gives how many bytes came back. */
export const transferSlowly = ({ bytes, url }: SlowTransfer): Promise<number> =>
  new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method: "POST", agent: false, headers: { ...mcpHeaders, "content-length": bytes } },
      (response) => {
        const read = { all: 0, sinceRest: 0 }
        response.on("data", (piece: Buffer) => {
          read.all += piece.length
          read.sinceRest += piece.length
          if (read.sinceRest < stretch) return
          read.sinceRest = 0
          response.pause()
          setTimeout(() => response.resume(), rest)
        })
        response.once("end", () => resolve(read.all))
        response.once("error", reject)
      }
    )
    sent.once("error", reject)
    Readable.from(blocks(bytes)).pipe(sent)
  })

function* blocks(bytes: number): Generator<Buffer> {
  for (let rest = bytes; rest > 0; rest -= block.length) yield block.subarray(0, rest)
}
