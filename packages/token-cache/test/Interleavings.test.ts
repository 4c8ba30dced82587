import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import * as fc from "fast-check"
import { TokenCache, type CachedToken } from "@secure-mcp/oauth-core"
import { SingleFlightTokenCache, TokenCapacity } from "@secure-mcp/token-cache"
import { keyOf, refusedBy, requestOf, text, tokenOf } from "./fixtures.ts"

/** How one acquisition goes. */
interface Grant {
  readonly seconds: number
  readonly expiresIn: number | undefined
  readonly refreshToken: boolean
  readonly fails: boolean
}

type Step =
  | { readonly kind: "get" | "force" | "refuse" | "leave" | "invalidate" | "list"; readonly name: string }
  | { readonly kind: "advance"; readonly seconds: number }

const grants = fc.infiniteStream(
  fc.record<Grant>({
    seconds: fc.integer({ min: 0, max: 6 }),
    expiresIn: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
    refreshToken: fc.boolean(),
    fails: fc.integer({ min: 0, max: 3 }).map((die) => die === 0)
  })
)

const name = fc.constantFrom("a", "b", "c")
const steps = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constantFrom("get", "get", "force", "refuse", "leave", "invalidate", "list"),
      name
    }),
    fc.record({ kind: fc.constant("advance"), seconds: fc.integer({ min: 1, max: 12 }) })
  ) as fc.Arbitrary<Step>,
  { maxLength: 100, size: "max" }
)

/** What a test knows of one key. */
const makeKey = (name: string) => ({
  name,
  running: 0,
  most: 0,
  /** Access tokens nobody may be given any more who asks from now on. */
  dead: new Set<string>(),
  last: undefined as Redacted.Redacted | undefined,
  callers: [] as Array<Fiber.Fiber<unknown, unknown>>
})

type Key = ReturnType<typeof makeKey>

const play = Effect.fnUntraced(function* (script: ReadonlyArray<Step>, plan: Iterator<Grant>) {
  const cache = yield* TokenCache
  const keys = new Map(["a", "b", "c"].map((name) => [name, makeKey(name)]))
  let served = 0
  let granted = 0

  const acquire = (key: Key) => () =>
    Effect.gen(function* () {
      const grant = plan.next().value as Grant
      key.running += 1
      key.most = Math.max(key.most, key.running)
      yield* Effect.sleep(Duration.seconds(grant.seconds))
      if (grant.fails) return yield* refusedBy("one")
      const now = yield* Clock.currentTimeMillis
      return tokenOf(String(++granted), {
        issuedAt: now,
        ...(grant.expiresIn === undefined ? {} : { expiresAt: now + grant.expiresIn * 1000 }),
        ...(grant.refreshToken ? { refreshToken: Redacted.make("refresh") } : {})
      })
    }).pipe(Effect.ensuring(Effect.sync(() => (key.running -= 1))))

  const check = Effect.fnUntraced(function* (key: Key, dead: ReadonlySet<string>, { token }: CachedToken) {
    const now = yield* Clock.currentTimeMillis
    served += 1
    assert.isTrue(token.expiresAt === undefined || token.expiresAt > now, "served an expired token")
    assert.isFalse(dead.has(text(token) ?? ""), "served a refused or invalidated token")
    key.last = token.accessToken
  })

  const call = Effect.fnUntraced(function* (key: Key, kind: "get" | "force" | "refuse") {
    const refused = kind === "refuse" ? key.last : undefined
    if (refused !== undefined) key.dead.add(Redacted.value(refused))
    const dead = new Set(key.dead)
    const request = requestOf(
      { acquire: acquire(key) },
      { key: keyOf(key.name), forceRefresh: kind === "force", refused }
    )
    const caller = cache.get(request).pipe(
      Effect.flatMap((answer) => check(key, dead, answer)),
      Effect.catchTag("OAuthError", () => Effect.void)
    )
    key.callers.push(yield* Effect.forkChild(caller, { startImmediately: true }))
  })

  for (const step of script) {
    if (step.kind === "advance") {
      yield* TestClock.adjust(Duration.seconds(step.seconds))
      continue
    }
    const key = keys.get(step.name) ?? makeKey(step.name)
    if (step.kind === "invalidate") {
      for (let token = 1; token <= granted; token++) key.dead.add(String(token))
      yield* cache.invalidate(keyOf(key.name))
    } else if (step.kind === "list") {
      const now = yield* Clock.currentTimeMillis
      for (const { token } of yield* cache.list)
        assert.isTrue(token.expiresAt === undefined || token.expiresAt > now, "listed an expired token")
    } else if (step.kind === "leave") {
      const caller = key.callers.pop()
      if (caller !== undefined) yield* Fiber.interrupt(caller)
    } else yield* call(key, step.kind)
  }
  yield* TestClock.adjust("1 minute")
  for (const key of keys.values()) {
    yield* Fiber.joinAll(key.callers)
    assert.isAtMost(key.most, 1, "two acquisitions at once")
    assert.strictEqual(key.running, 0)
  }
  return served
})

const cacheOf = (capacity: number) =>
  SingleFlightTokenCache.layerMemory.pipe(
    Layer.provide(Layer.succeed(TokenCapacity, capacity)),
    Layer.merge(Logger.layer([])),
    Layer.provideMerge(TestClock.layer())
  )

describe("any order of events", () => {
  for (const capacity of [1, 100])
    it(`any order of events serves no dead token and acquires once, with room for ${capacity}`, async () => {
      let served = 0
      const property = fc.asyncProperty(steps, grants, async (script, plan) => {
        served += await Effect.runPromise(play(script, plan).pipe(Effect.provide(cacheOf(capacity))))
      })
      await fc.assert(property, { numRuns: 200 })
      assert.isAbove(served, 700, "too little happened to prove anything")
    })
})
