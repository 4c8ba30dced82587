import * as Effect from "effect/Effect"

/** An answer over HTTP, read to its end. */
export interface Received {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** Sends a JSON-RPC request to a server behind a gateway. */
export const post = (
  gatewayUrl: string,
  server: string,
  message: object = ping,
  headers: Readonly<Record<string, string>> = {}
): Effect.Effect<Received> =>
  request(`${gatewayUrl}/servers/${server}/mcp`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...headers
    },
    body: JSON.stringify(message)
  })

/** A connection of its own for each request, so that none is left over for a later one. */
export const request = (url: string, init: RequestInit = {}): Effect.Effect<Received> =>
  Effect.promise(async (signal) => {
    const headers = { connection: "close", ...Object.fromEntries(new Headers(init.headers)) }
    const response = await fetch(url, { ...init, headers, signal })
    return { status: response.status, headers: response.headers, text: await response.text() }
  })

export const ping = { jsonrpc: "2.0", id: 7, method: "ping" }

export const initialize = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "gateway-test", version: "1.0.0" }
  }
}
