import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { OAuthToken, TokenCacheRequest } from "@secure-mcp/oauth-core"
import type { Lead } from "../src/Decision.ts"
import { hold, type HeldToken } from "../src/HeldToken.ts"
import { consult } from "../src/StoredToken.ts"
import { makeServer, requestOf, text, tokenOf } from "./fixtures.ts"

const now = { wall: 95_000, monotonic: 95_000 }

interface Situation {
  readonly background?: boolean
  /** The store did not take the token in memory. */
  readonly unstored?: HeldToken["unstored"]
  /** Another process has just put the store's token there. */
  readonly isNew?: boolean
}

/** What is made of the store's token when memory holds another one: "adopt stored", "renew held", ... */
const weigh = (
  stored: OAuthToken,
  held: OAuthToken | undefined,
  options: Partial<TokenCacheRequest> & Situation = {}
) => {
  const { background = false, isNew = false, unstored, ...request } = options
  const lead: Lead = {
    _tag: "Lead",
    acquisition: { id: 1, outcome: Deferred.makeUnsafe(), waiters: 1, background, abandoned: false },
    held: held && { ...hold(held, now), unstored }
  }
  const consulted = consult(stored, lead, requestOf(makeServer(), request), now, isNew)
  return consulted.adopted === undefined
    ? `renew ${text(consulted.previous)}`
    : `adopt ${text(consulted.adopted.token)}`
}

describe("a token in the store", () => {
  const held = tokenOf("held", { issuedAt: 50_000, expiresAt: 100_000 })
  const newer = tokenOf("stored", { issuedAt: 60_000, expiresAt: 110_000 })
  const older = tokenOf("stored", { issuedAt: 40_000, expiresAt: 300_000 })

  it("is taken if memory has none, or another one, whatever the clock of who put it there said", () => {
    assert.strictEqual(weigh(newer, undefined), "adopt stored")
    assert.strictEqual(weigh(newer, held), "adopt stored")
    assert.strictEqual(weigh(older, held), "adopt stored")
  })

  it("is ignored if it is older than the one in memory, which the store did not take", () => {
    const unstored = Effect.succeed(true)
    assert.strictEqual(weigh(older, held, { unstored }), "renew held")
    assert.strictEqual(weigh(newer, held, { unstored }), "adopt stored")
  })

  it("is new enough for who demands a new one if it came while they waited", () => {
    assert.strictEqual(weigh(newer, held, { forceRefresh: true, isNew: true }), "adopt stored")
    assert.strictEqual(
      weigh(newer, held, { forceRefresh: true, isNew: true, refused: Redacted.make("stored") }),
      "renew stored"
    )
  })

  it("is renewed if it was refused, or a new one is demanded", () => {
    assert.strictEqual(weigh(newer, held, { refused: Redacted.make("stored") }), "renew stored")
    assert.strictEqual(weigh(newer, held, { forceRefresh: true }), "renew stored")
  })

  it("is renewed if it has ended or is for one use only", () => {
    assert.strictEqual(
      weigh(tokenOf("stored", { issuedAt: 60_000, expiresAt: 95_000 }), held),
      "renew stored"
    )
    assert.strictEqual(weigh(tokenOf("stored", { issuedAt: 60_000, reusable: false }), held), "renew stored")
  })

  it("spares a renewal in the background only if it is not due for one itself", () => {
    const due = tokenOf("stored", { issuedAt: 60_000, expiresAt: 105_000 })
    assert.strictEqual(weigh(newer, held, { background: true }), "adopt stored")
    assert.strictEqual(weigh(due, held, { background: true }), "renew stored")
    assert.strictEqual(weigh(due, undefined), "adopt stored")
  })
})
