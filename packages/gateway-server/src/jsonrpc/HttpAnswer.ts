import type { OutgoingHttpHeaders, ServerResponse } from "node:http"

/** Ends a response with a JSON body. */
export const sendJson = (
  response: ServerResponse,
  status: number,
  text: string,
  headers: OutgoingHttpHeaders = {}
): void => {
  // Node would copy a text of megabytes once more, to put its headers in front.
  const body = Buffer.from(text)
  response
    .writeHead(status, { ...headers, "content-type": "application/json", "content-length": body.length })
    .end(body)
}

/** Ends a response without a body. */
export const sendEmpty = (
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders = {}
): void => {
  response.writeHead(status, headers).end()
}
