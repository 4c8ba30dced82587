/** A token that is held, from `OAuthService`: inside Effect, and through a Promise; and from `TokenCache` below it. */
import { OAuthService, TokenCache, type TokenKey } from "@secure-mcp/oauth-core"
import { OAuthToken } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { cpuPerOperation } from "../CpuPerOperation.ts"
import { configFor, quietRuntime, serviceOverMtls } from "../Service.ts"
import { serveRounds } from "../Worker.ts"

const key: TokenKey = {
  projectId: "default",
  configId: "default",
  serverName: "remote",
  personal: false,
  fingerprint: "f".repeat(64)
}

const token = () =>
  new OAuthToken({
    accessToken: Redacted.make("a".repeat(48)),
    tokenType: "Bearer",
    issuedAt: Date.now(),
    expiresAt: Date.now() + 3_600_000,
    reusable: true
  })

serveRounds(async ({ milliseconds, tokenUrl }) => {
  const runtime = quietRuntime(Layer.merge(serviceOverMtls, SingleFlightTokenCache.layerMemory))
  const context = await runtime.context()
  const runPromise = Effect.runPromiseWith(context)
  const { cache, service } = await runPromise(Effect.all({ cache: TokenCache, service: OAuthService }))
  const request = { serverName: "remote", config: configFor(tokenUrl) }
  const cacheRequest = {
    key,
    expiryBuffer: Duration.minutes(5),
    acquire: () => Effect.sync(token)
  }
  const repeat = (one: Effect.Effect<unknown, unknown>) => (count: number) =>
    runPromise(
      Effect.gen(function* () {
        for (let done = 0; done < count; done++) yield* one
      })
    )
  const one = () => service.getAccessToken(request)
  const byPromise = async (count: number) => {
    for (let done = 0; done < count; done++) await runPromise(one())
  }
  return async () => {
    const options = { batch: 1000, milliseconds }
    return {
      cache: (await cpuPerOperation(repeat(Effect.suspend(() => cache.get(cacheRequest))), options)).cpu,
      service: (await cpuPerOperation(repeat(Effect.suspend(one)), options)).cpu,
      promise: (await cpuPerOperation(byPromise, options)).cpu
    }
  }
})
