/** What the load generator does. */
export interface Job {
  readonly url: string
  readonly method: "GET" | "POST"
  readonly connections: number
  /** It ends when this time is over, or after so many requests, whichever is first. */
  readonly seconds: number
  readonly requests?: number
  readonly headers: Readonly<Record<string, string>>
  /** Values of `authorization`, of which each request takes the next. */
  readonly authorizations?: ReadonlyArray<string>
  readonly body: string
  /** MCP sessions, one for each connection. Then the id of each request is another one. */
  readonly sessions?: ReadonlyArray<string>
}

export interface LoadResult {
  /** Requests that were answered with 2xx. */
  readonly answered: number
  readonly failed: number
  /** What the first request that failed got. */
  readonly firstFailure: string | undefined
  readonly seconds: number
  /** Milliseconds from the first byte of a request to the last one of its answer. */
  readonly p50: number
  readonly p99: number
}
