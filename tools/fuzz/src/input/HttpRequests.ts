import * as fc from "fast-check"
import { jsonRpcText } from "./JsonRpcTexts.ts"
import { bytesOf, damaged, hostileText } from "./Texts.ts"

const methods = fc.constantFrom(
  "POST",
  "POST",
  "POST",
  "GET",
  "DELETE",
  "OPTIONS",
  "HEAD",
  "PUT",
  "TRACE",
  "CONNECT",
  "get",
  "PRI",
  ""
)

const headers = (secret: string): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constantFrom(
      `Authorization: Bearer ${secret}`,
      `X-Api-Key: ${secret}`,
      "Authorization: Basic x",
      "Accept: application/json, text/event-stream",
      "Accept: text/event-stream;q=0, */*",
      "Content-Type: application/json",
      "Content-Type: text/plain; charset=utf-16",
      "Mcp-Session-Id: abc",
      "MCP-Protocol-Version: 2025-11-25",
      "Mcp-Method: tools/call",
      "Last-Event-ID: 1",
      "Origin: https://evil.example",
      "Origin: null",
      "Host: 127.0.0.1",
      "Host: evil.example",
      "Connection: keep-alive, x-api-key",
      "Connection: close",
      "Connection: upgrade",
      "Upgrade: websocket",
      "Expect: 100-continue",
      "Expect: x",
      "Transfer-Encoding: chunked",
      "Transfer-Encoding: identity, chunked",
      "Transfer-Encoding: xchunked",
      "Content-Length: 0",
      "Content-Length: 5",
      "Content-Length: -1",
      "Content-Length: 99999999999999999999",
      "Content-Encoding: gzip",
      "X-Forwarded-For: 10.0.0.1",
      "Cookie: a=b",
      "traceparent: 00-x",
      ": x",
      " folded"
    ),
    fc
      .tuple(
        fc.constantFrom("X-A", "Mcp-Param-A", "Accept", "Mcp-Session-Id", "Mcp-Name", "Traceparent"),
        hostileText()
      )
      .map(([name, value]) => `${name}: ${value.slice(0, 20_000)}`)
  )

/** A request over HTTP/1.1, as bytes; most have a body of the length that they say. */
const request = (secret: string, paths: ReadonlyArray<string>): fc.Arbitrary<string> =>
  fc
    .record({
      method: methods,
      path: fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom(...paths) },
        { weight: 1, arbitrary: hostileText() }
      ),
      version: fc.constantFrom(
        "HTTP/1.1",
        "HTTP/1.1",
        "HTTP/1.1",
        "HTTP/1.0",
        "HTTP/2.0",
        "HTTP/0.9",
        "XTTP/1.1"
      ),
      host: fc.constantFrom("Host: 127.0.0.1\r\n", "Host: localhost:80\r\n", ""),
      key: fc.constantFrom(`Authorization: Bearer ${secret}\r\n`, ""),
      headers: fc.array(headers(secret), { maxLength: 5 }),
      body: fc.oneof(fc.constant(""), jsonRpcText()),
      framing: fc.constantFrom("length", "length", "length", "chunked", "none")
    })
    .map(({ body, framing, headers, host, key, method, path, version }) => {
      const content = bytesOf(body)
      const fields = headers.map((header) => `${bytesOf(header)}\r\n`).join("")
      const head = `${method} ${bytesOf(path)} ${version}\r\n${host}${key}${fields}`
      if (framing === "none") return `${head}\r\n${content}`
      return framing === "length"
        ? `${head}Content-Length: ${content.length}\r\n\r\n${content}`
        : `${head}Transfer-Encoding: chunked\r\n\r\n${chunk(content)}0\r\n\r\n`
    })

const chunk = (content: string) => (content === "" ? "" : `${content.length.toString(16)}\r\n${content}\r\n`)

/** One request or several in a row, sometimes damaged. */
export const httpRequestBytes = (secret: string, paths: ReadonlyArray<string>): fc.Arbitrary<string> => {
  const requests = fc
    .array(request(secret, paths), { minLength: 1, maxLength: 3 })
    .map((texts) => texts.join(""))
  return fc.oneof(
    { weight: 3, arbitrary: requests },
    { weight: 1, arbitrary: damaged(requests, hostileText().map(bytesOf)) },
    { weight: 1, arbitrary: hostileText().map(bytesOf) }
  )
}
