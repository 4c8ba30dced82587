/** Who calls, from `Callers` with `JwtBearer`. */
import { Callers, JwtBearer } from "@secure-mcp/inbound-auth"
import { OAuthHttp } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import { cpuPerOperation } from "../CpuPerOperation.ts"
import { quietRuntime } from "../Service.ts"
import { serveRounds } from "../Worker.ts"
import { remembered, resource, startIssuer } from "./Issuer.ts"

serveRounds(async ({ milliseconds, share }) => {
  const { issuer, newToken, seenToken } = await startIssuer(share)
  const callers = Callers.layerOf([JwtBearer.method([{ issuer }], { rememberedTokens: remembered })])
  const runtime = quietRuntime(
    callers.pipe(Layer.provide(OAuthHttp.layer), Layer.provide(FetchHttpClient.layer))
  )
  const runPromise = Effect.runPromiseWith(await runtime.context())
  const repeat = (token: () => string) => (count: number) =>
    runPromise(
      Effect.gen(function* () {
        for (let done = 0; done < count; done++) {
          const { subject } = yield* Callers.callerOf({ authorization: `Bearer ${token()}`, resource })
          if (subject === undefined) throw new Error("Nobody was found")
        }
      })
    )
  await repeat(newToken)(10)
  return async () => ({
    seen: (
      await cpuPerOperation(
        repeat(() => seenToken),
        { batch: 1000, milliseconds }
      )
    ).cpu,
    new: (await cpuPerOperation(repeat(newToken), { batch: 100, milliseconds })).cpu
  })
})
