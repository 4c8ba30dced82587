import { Agent, request } from "node:http"

/** What became of one request. */
export interface Called {
  /** 0 if there was no answer. */
  readonly status: number
  readonly body: string
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  /** When it was sent, as `performance.now()` says. */
  readonly at: number
  /** Milliseconds until the end of the answer. */
  readonly duration: number
}

export interface CallOptions {
  readonly key?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly method?: string
  readonly body?: string | Buffer
  /** Milliseconds after which the client gives up. Default 30,000. */
  readonly timeout?: number
  readonly agent?: Agent
}

export const ping = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })

/**
 * Sends one request to the gateway; never fails. A kept connection that the gateway has just closed is no failure: the
 * request is sent again over another one (RFC 9112 §9.3.1).
 */
export const call = async (url: string, options: CallOptions = {}): Promise<Called> => {
  const first = await send(url, options)
  return first.wasClosed ? send(url, options) : first
}

const send = (
  url: string,
  { agent, body = ping, headers = {}, key, method = "POST", timeout = 30_000 }: CallOptions
): Promise<Called & { readonly wasClosed: boolean }> => {
  const at = performance.now()
  return new Promise((resolve) => {
    const done = (status: number, text: string, answered: Called["headers"] = {}, wasClosed = false) =>
      resolve({ status, body: text, headers: answered, at, duration: performance.now() - at, wasClosed })
    const sent = request(
      url,
      {
        method,
        ...(agent === undefined ? {} : { agent }),
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
          ...headers
        },
        signal: AbortSignal.timeout(timeout)
      },
      (response) => {
        let text = ""
        response.setEncoding("utf8").on("data", (piece: string) => (text += text.length < 1e6 ? piece : ""))
        response.once("end", () => done(response.statusCode ?? 0, text, response.headers))
        response.once("error", (error) => done(0, error.message))
      }
    )
    sent.once("error", (error) =>
      done(0, error.message, {}, sent.reusedSocket && "code" in error && error.code === "ECONNRESET")
    )
    sent.end(method === "POST" ? body : undefined)
  })
}

/** The reason that an error of the gateway gives; else its status and message, or why there was no answer. */
export const reasonOf = ({ body, status }: Called): string => {
  if (status === 0) return `no answer: ${body}`
  const [, reason] = /"reason":"(\w+)"/.exec(body) ?? []
  const [, message = ""] = /"message":"([^"]{0,200})/.exec(body) ?? []
  return reason ?? `HTTP ${status} ${message}`.trim()
}
