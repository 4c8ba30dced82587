import type { OutgoingHttpHeaders, ServerResponse } from "node:http"

/** Ends a response with a JSON body. */
export const sendJson = (
  response: ServerResponse,
  status: number,
  text: string,
  headers: OutgoingHttpHeaders = {}
): void => {
  response
    .writeHead(status, {
      ...headers,
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text)
    })
    .end(text)
}

/** Ends a response without a body. */
export const sendEmpty = (
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders = {}
): void => {
  response.writeHead(status, headers).end()
}
