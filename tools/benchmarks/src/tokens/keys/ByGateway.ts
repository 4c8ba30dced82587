/** The token cache with many keys. */
import { OAuthToken, TokenCache, type TokenKey } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache, TokenCapacity } from "@secure-mcp/token-cache"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { quietRuntime } from "../Service.ts"
import { serveRounds } from "../Worker.ts"
import { measureKeys } from "./KeyOperations.ts"

const keyOf = (number: number): TokenKey => ({
  projectId: "default",
  configId: "default",
  serverName: "remote",
  subject: `person-${number}@example.com`,
  personal: true,
  fingerprint: "f".repeat(64)
})

const newToken = (number: number) =>
  new OAuthToken({
    accessToken: Redacted.make(`${number}`.padStart(48, "a")),
    tokenType: "Bearer",
    issuedAt: Date.now(),
    expiresAt: Date.now() + 3_600_000,
    reusable: true
  })

serveRounds(async ({ keys, milliseconds }) => {
  const runtime = quietRuntime(
    SingleFlightTokenCache.layerMemory.pipe(Layer.provide(Layer.succeed(TokenCapacity, keys)))
  )
  const context = await runtime.context()
  const runPromise = Effect.runPromiseWith(context)
  const cache = await runPromise(Effect.service(TokenCache))
  const expiryBuffer = Duration.minutes(5)
  const each =
    (operation: (number: number) => Effect.Effect<unknown, unknown>) => (numbers: ReadonlyArray<number>) =>
      runPromise(
        Effect.gen(function* () {
          for (const number of numbers) yield* operation(number)
        })
      )
  return measureKeys({
    keys,
    milliseconds,
    read: each((number) =>
      cache.get({ key: keyOf(number), expiryBuffer, acquire: () => Effect.die(`token ${number} is missing`) })
    ),
    write: each((number) => cache.put(keyOf(number), newToken(number)))
  })
})
