import * as Effect from "effect/Effect"
import type { TokenKey } from "@secure-mcp/oauth-core"
import { inSpan } from "@secure-mcp/oauth-core/internal"
import type { TokenLease } from "../store/TokenLease.ts"
import type { TokenStore } from "../store/TokenStore.ts"

/** A store whose operations are spans (`TokenStore.get`, …) with the name of the server. They hold no secret. */
export const withStoreSpans = (store: TokenStore["Service"]): TokenStore["Service"] => ({
  get: (key) => inSpanOf("get", key)(store.get(key)),
  set: (key, ...rest) => inSpanOf("set", key)(store.set(key, ...rest)),
  remove: (key) => inSpanOf("remove", key)(store.remove(key)),
  list: inSpan("TokenStore.list")(store.list),
  checkWritable: inSpan("TokenStore.checkWritable")(store.checkWritable),
  lease: (key, timeToLive) =>
    Effect.map(
      inSpanOf("lease", key)(store.lease(key, timeToLive)),
      (lease) => lease && withLeaseSpans(key, lease)
    ),
  changes: store.changes && spannedChanges(store.changes)
})

const spannedChanges =
  (changes: NonNullable<TokenStore["Service"]["changes"]>): typeof changes =>
  (cursor) =>
    inSpan("TokenStore.changes")(changes(cursor))

const withLeaseSpans = (key: TokenKey, lease: TokenLease): TokenLease => ({
  ...lease,
  renew: inSpanOf("renewLease", key)(lease.renew),
  set: (...args) => inSpanOf("setWithLease", key)(lease.set(...args)),
  remove: (token) => inSpanOf("removeWithLease", key)(lease.remove(token)),
  release: inSpanOf("releaseLease", key)(lease.release)
})

const inSpanOf = (operation: string, { serverName }: TokenKey) =>
  inSpan(`TokenStore.${operation}`, { server_name: serverName })
