/** A server that reads a request body, and then answers with as many bytes, no faster than they are read. */
import { createServer } from "node:http"
import { Readable } from "node:stream"
import { announce } from "./Listening.ts"

const block = Buffer.alloc(64 * 1024, "a")

function* blocks(bytes: number): Generator<Buffer> {
  for (let rest = bytes; rest > 0; rest -= block.length) yield block.subarray(0, rest)
}

announce(
  createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
    const received = { bytes: 0 }
    request.on("data", (piece: Buffer) => (received.bytes += piece.length))
    request.once("end", () => {
      response.writeHead(200, { "content-type": "application/json", "content-length": received.bytes })
      Readable.from(blocks(received.bytes)).pipe(response)
    })
  })
)
