import { Agent } from "node:http"
import { call, type Called, type CallOptions } from "./McpCall.ts"

/** A request that recurs. */
export interface Route extends CallOptions {
  /** What the tally calls its requests. */
  readonly name: string
  readonly url: string
  /** The body of the request of this number, where each has to have an id of its own. */
  readonly bodyOf?: (number: number) => string
}

export interface Sent extends Called {
  readonly route: string
}

export interface TrafficOptions {
  readonly routes: ReadonlyArray<Route>
  /** Requests a second, over all routes in turn. */
  readonly rate: number
  readonly seconds: number
  /** Takes the outcome of each request. */
  readonly onSent: (sent: Sent) => void
}

/** Sends requests at a rate, whatever becomes of them, and waits for the last answer. */
export const sendTraffic = async ({ onSent, rate, routes, seconds }: TrafficOptions): Promise<void> => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1000 })
  const pending = new Set<Promise<void>>()
  const start = performance.now()
  let count = 0
  try {
    while (performance.now() - start < seconds * 1000) {
      for (; count < ((performance.now() - start) / 1000) * rate; count += 1) {
        const route = routes[count % routes.length]
        if (route === undefined) throw new Error("There is no route")
        const one = call(route.url, {
          agent,
          ...route,
          ...(route.bodyOf === undefined ? {} : { body: route.bodyOf(count) })
        }).then((called) => {
          pending.delete(one)
          return onSent({ ...called, route: route.name })
        })
        pending.add(one)
      }
      await new Promise((resolve) => setTimeout(resolve, 4))
    }
    await Promise.all(pending)
  } finally {
    agent.destroy()
  }
}

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))
