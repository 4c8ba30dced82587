import * as Effect from "effect/Effect"
import type { TokenKey } from "@secure-mcp/oauth-core"
import type { TokenLease } from "../store/TokenLease.ts"
import type { TokenStore } from "../store/TokenStore.ts"

/** A store whose operations are spans (`TokenStore.get`, …) with the name of the server. They hold no secret. */
export const withStoreSpans = (store: TokenStore["Service"]): TokenStore["Service"] => ({
  get: (key) => inSpan("get", key)(store.get(key)),
  set: (key, ...rest) => inSpan("set", key)(store.set(key, ...rest)),
  remove: (key) => inSpan("remove", key)(store.remove(key)),
  list: Effect.withSpan(store.list, "TokenStore.list"),
  checkWritable: Effect.withSpan(store.checkWritable, "TokenStore.checkWritable"),
  lease: (key, timeToLive) =>
    Effect.map(
      inSpan("lease", key)(store.lease(key, timeToLive)),
      (lease) => lease && withLeaseSpans(key, lease)
    )
})

const withLeaseSpans = (key: TokenKey, lease: TokenLease): TokenLease => ({
  ...lease,
  renew: inSpan("renewLease", key)(lease.renew),
  set: (...args) => inSpan("setWithLease", key)(lease.set(...args)),
  remove: (token) => inSpan("removeWithLease", key)(lease.remove(token)),
  release: inSpan("releaseLease", key)(lease.release)
})

const inSpan = (operation: string, { serverName }: TokenKey) =>
  Effect.withSpan(`TokenStore.${operation}`, { attributes: { server_name: serverName } })
