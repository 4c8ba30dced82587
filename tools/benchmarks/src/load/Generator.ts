import { percentile } from "../measurement/Statistics.ts"
import type { Job, LoadResult } from "./Job.ts"
import { RawConnection } from "./RawConnection.ts"

interface RequestParts {
  readonly authorization?: string | undefined
  readonly session?: string | undefined
  readonly body: string
}

/** The request as it goes over the wire. */
const requestOf = (job: Job, url: URL, { authorization, body, session }: RequestParts): Buffer => {
  const headers = {
    host: url.host,
    ...job.headers,
    ...(authorization === undefined ? {} : { authorization }),
    ...(session === undefined ? {} : { "mcp-session-id": session }),
    ...(job.method === "POST" ? { "content-length": String(Buffer.byteLength(body)) } : {})
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`${job.method} ${url.pathname} HTTP/1.1\r\n${lines.join("")}\r\n${body}`)
}

/** What gives the requests of a connection; those without a session are made once for all. */
const requestsOf = (job: Job, url: URL) => {
  const ready = (job.authorizations ?? [undefined]).map((authorization) =>
    requestOf(job, url, { authorization, body: job.body })
  )
  return (connection: number, number: number): Buffer => {
    const session = job.sessions?.[connection]
    return session === undefined
      ? (ready[number % ready.length] ?? Buffer.alloc(0))
      : requestOf(job, url, { session, body: job.body.replace('"id":1', `"id":${number + 1}`) })
  }
}

/** Sends requests over so many connections, each the next one as soon as it has its answer. */
export const generate = async (job: Job): Promise<LoadResult> => {
  const url = new URL(job.url)
  const requestFor = requestsOf(job, url)
  const most = job.requests ?? Number.POSITIVE_INFINITY
  const durations: Array<number> = []
  const failures = { count: 0, first: undefined as string | undefined }
  let sent = 0
  const begin = performance.now()
  const end = begin + job.seconds * 1000
  const work = async (number: number) => {
    const connection = new RawConnection(url)
    for (let now = performance.now(); now < end && sent < most;) {
      const request = requestFor(number, sent)
      sent += 1
      const { beginning, status } = await connection.send(request)
      const after = performance.now()
      if (status >= 200 && status < 300) durations.push(after - now)
      else {
        failures.count += 1
        failures.first ??= beginning
      }
      now = after
    }
    connection.close()
  }
  await Promise.all(
    Array.from({ length: job.connections }, (_, number) =>
      work(number).catch((error: unknown) => {
        failures.count += 1
        failures.first ??= String(error)
      })
    )
  )
  const seconds = (performance.now() - begin) / 1000
  const sorted = Float64Array.from(durations).sort()
  return {
    answered: durations.length,
    failed: failures.count,
    firstFailure: failures.first,
    seconds,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99)
  }
}
