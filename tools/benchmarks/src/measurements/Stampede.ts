import * as Effect from "effect/Effect"
import { connectAtOnce, connectToInstances } from "../deployments/NewConnections.ts"
import type { Measurement } from "../measurement/Measurement.ts"
import { atMost } from "../measurement/Target.ts"
import { startServer } from "../process/NodeProgram.ts"
import { gatewayProxy } from "../proxies/GatewayProxy.ts"
import { bareNode } from "../proxies/RivalProxies.ts"
import { tokenEndpoint } from "../servers/Servers.ts"
import { startWorker } from "../tokens/WorkerContender.ts"

export const stampede: Measurement = {
  name: "stampede",
  measures:
    "10,000 callers at once without a token, and with an expired one (the endpoint takes 50 ms); 1,000 new connections at once",
  ours: {
    name: "gateway",
    start: Effect.fnUntraced(function* (run) {
      const tokens = yield* startServer(tokenEndpoint, ["50"])
      const program = new URL("../tokens/stampede/ByGateway.ts", import.meta.url)
      const options = { tokenUrl: `${tokens.url}/token`, keys: 1 }
      const take = yield* startWorker(program, run, options, run.profileDirectory)
      yield* Effect.promise(take)
      return async () => ({
        ...(await take()),
        ...(await connectAtOnce(gatewayProxy, run)),
        ...(await connectToInstances(run))
      })
    })
  },
  rivals: [
    {
      name: bareNode.name,
      start: (run) => Effect.succeed(() => connectAtOnce(bareNode, run))
    }
  ],
  rows: [
    { figure: "one", title: "one caller without a token", unit: "ms" },
    { figure: "cold", title: "10,000 callers without a token", unit: "ms" },
    { figure: "coldTokens", title: "token requests for them", unit: "" },
    { figure: "expired", title: "10,000 callers with an expired token", unit: "ms" },
    { figure: "expiredTokens", title: "token requests for them", unit: "" },
    { figure: "connections", title: "1,000 new connections", unit: "ms" },
    { figure: "redisTokens", title: "token requests of two instances on Redis", unit: "" }
  ],
  targets: [
    atMost("cold", 2, { ours: "one" }, 50),
    atMost("coldTokens", 1),
    atMost("expired", 2, { ours: "one" }, 50),
    atMost("expiredTokens", 1),
    atMost("connections", 2, { rivals: [bareNode.name] }),
    atMost("redisTokens", 1)
  ]
}
