import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redis from "effect/persistence/Redis"
import { TokenCache } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache } from "@secure-mcp/token-cache"
import { RedisTokenStore } from "@secure-mcp/token-cache-redis"
import { secretOf } from "./redis.ts"

/** The caches of three instances of a gateway, each with connections of its own. */
export const openInstances = <E>(connection: Layer.Layer<Redis.Redis, E>) =>
  Effect.forEach([1, 2, 3], () =>
    Effect.map(
      Layer.build(
        SingleFlightTokenCache.layer.pipe(
          Layer.provide(RedisTokenStore.layer({ encryptionKey: secretOf("one") })),
          Layer.provide(Layer.fresh(connection))
        )
      ),
      Context.get(TokenCache)
    )
  )
