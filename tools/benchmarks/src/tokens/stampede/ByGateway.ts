/** 10,000 callers at once who all need a new token: because there is none, and because a person's has expired. */
import { decodeOAuthConfig, OAuthService } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import { issuedTokens } from "../../servers/IssuedTokens.ts"
import { configFor, quietRuntime, serviceOverMtls } from "../Service.ts"
import { serveRounds } from "../Worker.ts"

const callers = 10_000

const personConfig = (tokenUrl: string) =>
  Effect.runSync(
    Effect.fromResult(
      decodeOAuthConfig({
        grant_type: "authorization_code",
        authorization_url: new URL("/authorize", tokenUrl).href,
        token_url: tokenUrl,
        client_id: "benchmark",
        client_secret: "the-secret-of-the-client",
        enforce_https: false
      })
    )
  )

serveRounds(async ({ share, tokenUrl }) => {
  const runtime = quietRuntime(serviceOverMtls)
  const runPromise = Effect.runPromiseWith(await runtime.context())
  const service = await runPromise(Effect.service(OAuthService))
  const machine = { serverName: "remote", config: configFor(tokenUrl) }
  const person = { serverName: "remote", config: personConfig(tokenUrl), subject: "alice" }
  const state = { round: 0 }

  const issued = () => issuedTokens(new URL(tokenUrl).origin)
  /** Milliseconds until all have a token, and how many tokens were issued. */
  const timed = async (request: Parameters<typeof service.getAccessToken>[0], count: number) => {
    const before = await issued()
    const begin = performance.now()
    await runPromise(
      Effect.forEach(Array.from({ length: count }), () => service.getAccessToken(request), {
        concurrency: "unbounded",
        discard: true
      })
    )
    return { time: performance.now() - begin, tokens: (await issued()) - before }
  }
  const logIn = async (request: typeof person & { readonly configId: string }) => {
    const redirectUri = "http://127.0.0.1:1/callback"
    const { authorizationUrl } = await runPromise(service.authorize(request, { redirectUri }))
    const state = new URL(authorizationUrl).searchParams.get("state") ?? ""
    await runPromise(service.completeAuthorization({ code: "expired", state }))
  }
  return async () => {
    state.round += 1
    const expired = { ...person, configId: `expired-${state.round}` }
    await logIn(expired)
    const one = await timed({ ...machine, configId: `one-${state.round}` }, 1)
    const count = Math.max(10, callers * share)
    const cold = await timed({ ...machine, configId: `cold-${state.round}` }, count)
    await new Promise((resolve) => setTimeout(resolve, 1100))
    const refreshed = await timed(expired, count)
    return {
      one: one.time,
      cold: cold.time,
      coldTokens: cold.tokens,
      expired: refreshed.time,
      expiredTokens: refreshed.tokens
    }
  }
})
