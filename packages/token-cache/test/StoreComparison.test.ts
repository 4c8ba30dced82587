import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { OAuthToken, TokenCacheRequest } from "@secure-mcp/oauth-core"
import { compareWithStore } from "../src/acquisition/StoreComparison.ts"
import type { Lead } from "../src/memory/Decision.ts"
import { toMemoryToken, type PendingWrite } from "../src/memory/MemoryToken.ts"
import { makeServer, requestOf, text, tokenOf } from "./fixtures.ts"

const now = { wall: 95_000, monotonic: 95_000 }

interface Situation {
  readonly background?: boolean
  /** The store did not take the token in memory. */
  readonly pendingWrite?: PendingWrite
  /** Another process has just put the store's token there. */
  readonly isNew?: boolean
  /** The store's number for its token; that of the one in memory is 1. */
  readonly revision?: number
}

/** What is made of the store's token when memory has another one: "serve stored", "renew cached", ... */
const weigh = (
  stored: OAuthToken,
  cached: OAuthToken | undefined,
  options: Partial<TokenCacheRequest> & Situation = {}
) => {
  const { background = false, isNew = false, pendingWrite, revision = 1, ...request } = options
  const lead: Lead = {
    _tag: "Lead",
    acquisition: {
      id: 1,
      outcome: Deferred.makeUnsafe(),
      waiters: 1,
      background,
      abandoned: false,
      hasNewGrant: false
    },
    cached: cached && {
      ...toMemoryToken(cached, now, pendingWrite === undefined ? { revision: 1 } : {}),
      pendingWrite
    }
  }
  const entry = { _tag: "Stored", token: stored, revision } as const
  const comparison = compareWithStore(entry, lead, requestOf(makeServer(), request), now, { isNew })
  return comparison._tag === "ServeStored"
    ? `serve ${text(comparison.cached.token)}`
    : `renew ${text(comparison.previous?.token)}`
}

describe("a token in the store", () => {
  const cached = tokenOf("cached", { issuedAt: 50_000, expiresAt: 100_000 })
  const newer = tokenOf("stored", { issuedAt: 60_000, expiresAt: 110_000 })
  const older = tokenOf("stored", { issuedAt: 40_000, expiresAt: 300_000 })

  it("a stored token is used if memory has none, or another one, whatever the writer's clock said", () => {
    assert.strictEqual(weigh(newer, undefined), "serve stored")
    assert.strictEqual(weigh(newer, cached), "serve stored")
    assert.strictEqual(weigh(older, cached), "serve stored")
  })

  it("a stored token is ignored if it is older than the pending one in memory", () => {
    const pendingWrite = Effect.succeed(2)
    assert.strictEqual(weigh(older, cached, { pendingWrite }), "renew cached")
    assert.strictEqual(weigh(newer, cached, { pendingWrite }), "serve stored")
  })

  it("a stored token satisfies a forced refresh if it came while the caller waited", () => {
    assert.strictEqual(weigh(newer, cached, { forceRefresh: true, isNew: true }), "serve stored")
    assert.strictEqual(
      weigh(newer, cached, { forceRefresh: true, isNew: true, refused: Redacted.make("stored") }),
      "renew stored"
    )
  })

  it("a stored token is renewed if it was refused, or a new one is demanded", () => {
    assert.strictEqual(weigh(newer, cached, { refused: Redacted.make("stored") }), "renew stored")
    assert.strictEqual(weigh(newer, cached, { forceRefresh: true }), "renew stored")
  })

  it("a stored token is renewed if it has ended or is for one use only", () => {
    assert.strictEqual(
      weigh(tokenOf("stored", { issuedAt: 60_000, expiresAt: 95_000 }), cached),
      "renew stored"
    )
    assert.strictEqual(
      weigh(tokenOf("stored", { issuedAt: 60_000, reusable: false }), cached),
      "renew stored"
    )
  })

  it("a stored token replaces a renewal in the background only if it is not due for one itself", () => {
    const due = tokenOf("stored", { issuedAt: 60_000, expiresAt: 105_000 })
    assert.strictEqual(weigh(newer, cached, { background: true }), "serve stored")
    assert.strictEqual(weigh(due, cached, { background: true }), "renew stored")
    assert.strictEqual(weigh(due, undefined), "serve stored")
  })
})
