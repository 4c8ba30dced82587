import * as Duration from "effect/Duration"
import { parseRetryAfter, retryAfterDelay } from "effect/http/Headers"
import * as Result from "effect/Result"
import type { UpstreamFailed } from "../../fetch/Fetch.ts"

const longest = Duration.seconds(15)
const longestRetry = Duration.seconds(30)
const longestRetryAfter = Duration.seconds(60)

/** The pause before a try that follows `failures` others: 1 s, 2 s, 4 s, and so on to 15 s. */
export const backOff = (failures: number): Duration.Duration =>
  Duration.min(Duration.seconds(2 ** Math.min(failures, 10)), longest)

/**
 * The pause after a stream that ended in order. The server's `retry` (WHATWG HTML, "Server-sent events") counts, up to 30 s;
 * a server that says 0 is not asked without end.
 *
 * @param empty how many streams in a row brought nothing
 */
export const pauseAfterEnd = (retry: Duration.Duration | undefined, empty: number): Duration.Duration =>
  retry === undefined
    ? backOff(empty)
    : Duration.max(
        Duration.min(retry, longestRetry),
        Duration.min(Duration.millis(100 * 2 ** Math.min(empty, 10)), Duration.seconds(1))
      )

/** The pause after a stream that broke or was refused: as long as both the server and the back-off say. */
export const pauseAfterFailure = (
  retry: Duration.Duration | undefined,
  failures: number,
  failure: UpstreamFailed,
  now: number
): Duration.Duration =>
  [Duration.min(retry ?? Duration.zero, longestRetry), retryAfterOf(failure, now)].reduce(
    Duration.max,
    backOff(failures)
  )

const retryAfterOf = ({ retryAfter }: UpstreamFailed, now: number): Duration.Duration => {
  const parsed = retryAfter === undefined ? undefined : parseRetryAfter(retryAfter)
  return parsed === undefined || Result.isFailure(parsed)
    ? Duration.zero
    : Duration.min(retryAfterDelay(parsed.success, now), longestRetryAfter)
}
