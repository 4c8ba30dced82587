import { pause } from "../clients/Traffic.ts"
import type { AuthorizationServer } from "../servers/AuthorizationServer.ts"
import type { LoopbackServer } from "../servers/LoopbackServer.ts"

export type Disturbance =
  | "authorization server answers 503"
  | "authorization server breaks connections"
  | "answers of the authorization server are lost"
  | "MCP server is away"

/** A time in which something was disturbed, as `performance.now()` says. */
export interface Disturbed {
  readonly what: Disturbance
  readonly from: number
  readonly to: number
}

/** Disturbs the servers one after the other, again and again, until there is no time left for another one. */
export const disturb = async (
  authorizationServer: AuthorizationServer,
  mcp: LoopbackServer,
  seconds: number
): Promise<ReadonlyArray<Disturbed>> => {
  const { forgetExpired, state } = authorizationServer
  const start = performance.now()
  const disturbed: Array<Disturbed> = []
  const during = async (
    what: Disturbance,
    milliseconds: number,
    begin: () => unknown,
    end: () => unknown
  ) => {
    const from = performance.now()
    await begin()
    await pause(milliseconds)
    await end()
    disturbed.push({ what, from, to: performance.now() })
    await pause(4000)
  }
  const trouble = (next: typeof state.trouble) => () => {
    state.trouble = next
  }
  const steps = [
    () => during("authorization server answers 503", 1000, trouble("unavailable"), trouble(undefined)),
    () => during("authorization server breaks connections", 300, trouble("breaks"), trouble(undefined)),
    () => during("MCP server is away", 500, mcp.stop, mcp.restart),
    () =>
      during(
        "answers of the authorization server are lost",
        300,
        trouble("loses answers"),
        trouble(undefined)
      )
  ]
  await pause(2000)
  for (let step = 0; performance.now() - start < (seconds - 6) * 1000; step += 1) {
    await steps[step % steps.length]?.()
    forgetExpired()
  }
  return disturbed
}

/** Milliseconds after a connection that broke in which a request may still fail. */
const afterBreak = 1500

/**
 * Whether a request may fail: one to an MCP server that is away, and one whose refresh token was sent before the connection
 * broke. Callers wait out a server that answers 503, so nobody fails there.
 */
export const mayFail = (
  { at, duration, reason }: { readonly at: number; readonly duration: number; readonly reason: string },
  disturbed: ReadonlyArray<Disturbed>
): boolean =>
  disturbed.some(({ from, to, what }) => {
    if (what === "MCP server is away")
      return reason === "UpstreamUnreachable" && at <= to && at + duration >= from
    return (
      what !== "authorization server answers 503" &&
      reason === "ConnectionFailed" &&
      at <= to + afterBreak &&
      at + duration >= from
    )
  })
