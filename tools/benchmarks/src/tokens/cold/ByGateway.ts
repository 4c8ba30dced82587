/** Acquisition by client credentials, from `OAuthService`: over the connections of the gateway, and over `fetch`. */
import { OAuthService } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { configFor, quietRuntime, serviceOverFetch, serviceOverMtls } from "../Service.ts"
import { serveRounds } from "../Worker.ts"
import { measureAcquisitions } from "./Acquisitions.ts"

/** A new token of one of sixteen keys. */
const acquirer = async (layer: Layer.Layer<OAuthService>, tokenUrl: string) => {
  const runtime = quietRuntime(layer)
  const runPromise = Effect.runPromiseWith(await runtime.context())
  const service = await runPromise(Effect.service(OAuthService))
  const config = configFor(tokenUrl)
  return async (slot: number): Promise<string> => {
    const request = { serverName: "remote", config, configId: `slot-${slot}` }
    const { token } = await runPromise(service.refresh(request))
    return Redacted.value(token.accessToken)
  }
}

serveRounds(async ({ tokenUrl, ...options }) => {
  const overMtls = await measureAcquisitions(await acquirer(serviceOverMtls, tokenUrl), options)
  const overFetch = await measureAcquisitions(await acquirer(serviceOverFetch, tokenUrl), options)
  return async () => ({ ...(await overMtls()), cpuOverFetch: (await overFetch())["cpu"] ?? Number.NaN })
})
