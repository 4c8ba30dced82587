import type { IncomingMessage } from "node:http"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type { Exchange, Rest } from "../upstream/Upstream.ts"

/** How far an exchange came without a fiber. */
export interface BegunExchange {
  readonly serverName: string
  readonly exchange: Exchange
  /** What is left to do; undefined if nothing has been sent to the server. */
  readonly rest: Rest | undefined
}

/** The exchanges that `DirectAnswers` began and that the route goes on with. */
export class BegunExchanges extends Context.Service<
  BegunExchanges,
  {
    readonly put: (request: IncomingMessage, begun: BegunExchange) => void
    /** How far the exchange of a request came; undefined if nothing of it was begun. */
    readonly of: (request: IncomingMessage) => BegunExchange | undefined
  }
>()("@secure-mcp/gateway/BegunExchanges") {
  static readonly layer = Layer.sync(BegunExchanges, () => {
    const begun = new WeakMap<IncomingMessage, BegunExchange>()
    return {
      put: (request, exchange) => void begun.set(request, exchange),
      of: (request) => begun.get(request)
    }
  })
}
