import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Server } from "node:http"
import { CallerExpiry } from "../callers/CallerExpiry.ts"
import { callersOfWorker } from "../callers/GatewayCallers.ts"
import type { GatewayConfig } from "../config/GatewayConfig.ts"
import { makeAccess } from "../http/Access.ts"
import { BegunExchanges } from "../http/BegunExchanges.ts"
import { makeDirectAnswers } from "../http/DirectAnswers.ts"
import { answerFirst, Listener } from "../http/Listener.ts"
import { McpServers } from "../http/McpServers.ts"
import { RequestRefusals } from "../http/RequestRefusals.ts"
import { PersonActivity } from "../status/PersonActivity.ts"
import { RequestBodies } from "../upstream/RequestBody.ts"
import { Servers } from "../upstream/Servers.ts"
import { makeOwnerForward } from "./OwnerForward.ts"
import type { Start } from "./OwnerMessages.ts"
import { makeWorkerAnswers } from "./WorkerAnswers.ts"
import { workerSessions } from "./WorkerSessions.ts"
import { workerTokens } from "./WorkerTokens.ts"
import { listen } from "../listener/Listening.ts"

/**
 * The HTTP server of a worker, on the port that all workers share. It listens once the layer is built; when the layer is
 * released it stops accepting and lets running requests finish for up to ten seconds.
 *
 * Its `PersonActivity` is its own, and nobody reads it: what the owner knows of a person's use is what a worker asks it for.
 */
export const workerServer = (config: GatewayConfig, { host, ownerSocket, port, processes }: Start) => {
  const { bufferedBytes, tls } = config.gateway
  return Layer.effectDiscard(
    Effect.gen(function* () {
      // What a worker cannot tell at once, the owner does.
      const access = makeAccess(config.gateway, callersOfWorker(config.gateway))
      const server: Server = yield* Listener
      const answer = yield* makeWorkerAnswers(makeOwnerForward(ownerSocket))
      server.on("request", answer).on("checkContinue", answer)
      yield* answerFirst(server, yield* makeDirectAnswers(access))
      yield* listen(server, { host, port })
    })
  ).pipe(
    Layer.provide(Listener.layer(tls)),
    Layer.provide(BegunExchanges.layer),
    Layer.provide(RequestRefusals.layer),
    Layer.provide(CallerExpiry.layer(config.gateway)),
    Layer.provide(PersonActivity.layer),
    Layer.provide(McpServers.layer),
    Layer.provide(Servers.layerForwarded(config)),
    Layer.provide(RequestBodies.layer(Math.floor(bufferedBytes / processes))),
    Layer.provide([workerTokens, workerSessions])
  )
}
