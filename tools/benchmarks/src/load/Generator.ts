import { percentile } from "../measurement/Statistics.ts"
import type { Job, LoadResult } from "./Job.ts"
import { RawConnection } from "./RawConnection.ts"

/** The request as it goes over the wire. */
const requestOf = (job: Job, url: URL, authorization: string | undefined): Buffer => {
  const headers = {
    host: url.host,
    ...job.headers,
    ...(authorization === undefined ? {} : { authorization }),
    ...(job.method === "POST" ? { "content-length": String(Buffer.byteLength(job.body)) } : {})
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`${job.method} ${url.pathname} HTTP/1.1\r\n${lines.join("")}\r\n${job.body}`)
}

/** Sends requests over so many connections, each the next one as soon as it has its answer. */
export const generate = async (job: Job): Promise<LoadResult> => {
  const url = new URL(job.url)
  const requests = (job.authorizations ?? [undefined]).map((value) => requestOf(job, url, value))
  const most = job.requests ?? Number.POSITIVE_INFINITY
  const durations: Array<number> = []
  const failures = { count: 0, first: undefined as string | undefined }
  let sent = 0
  const begin = performance.now()
  const end = begin + job.seconds * 1000
  const work = async () => {
    const connection = new RawConnection(url)
    for (let now = performance.now(); now < end && sent < most;) {
      const request = requests[sent % requests.length] ?? Buffer.alloc(0)
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
    Array.from({ length: job.connections }, () =>
      work().catch((error: unknown) => {
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
