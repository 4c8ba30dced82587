import * as Effect from "effect/Effect"
import { entryWithToken, startGateway } from "../gateway/Gateway.ts"
import { startServer } from "../process/NodeProgram.ts"
import { tokenEndpoint } from "../servers/Servers.ts"
import type { Proxy } from "./Proxy.ts"

/** The gateway, with a token that it gets from a token endpoint and with its metrics, which are always on. */
export const gatewayProxy: Proxy = {
  name: "gateway",
  start: Effect.fnUntraced(function* (run, upstreamUrl, nodeOptions = []) {
    const tokens = yield* startServer(tokenEndpoint)
    const servers = [entryWithToken("upstream", `${upstreamUrl}/mcp`, `${tokens.url}/token`)]
    const { pid, url } = yield* startGateway(run, { servers }, { nodeOptions })
    return { pid, url: `${url}/servers/upstream/mcp` }
  })
}
