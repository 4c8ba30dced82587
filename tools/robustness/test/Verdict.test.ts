import { assert, describe, it } from "@effect/vitest"
import { type Disturbed, mayFail } from "../src/soak/Disturbances.ts"
import type { Sample, SoakResult } from "../src/soak/Soak.ts"
import { problemsOf } from "../src/soak/Verdict.ts"

const disturbed = (what: Disturbed["what"]): ReadonlyArray<Disturbed> => [{ what, from: 1000, to: 2000 }]
const failure = (reason: string, at: number, duration = 10) => ({ reason, at, duration })

describe("which requests may fail in a soak", () => {
  it("none may fail while the authorization server answers 503", () => {
    assert.isFalse(mayFail(failure("CircuitOpen", 1500), disturbed("authorization server answers 503")))
  })

  it("a request that meets an MCP server that is away may fail, and one before or after may not", () => {
    const away = disturbed("MCP server is away")
    assert.isTrue(mayFail(failure("UpstreamUnreachable", 1500), away))
    assert.isTrue(mayFail(failure("UpstreamUnreachable", 995), away))
    assert.isFalse(mayFail(failure("UpstreamUnreachable", 900), away))
    assert.isFalse(mayFail(failure("UpstreamUnreachable", 2001), away))
    assert.isFalse(mayFail(failure("ConnectionFailed", 1500), away))
  })

  it("a request may fail until 1.5 s after connections to the authorization server broke", () => {
    for (const what of [
      "authorization server breaks connections",
      "answers of the authorization server are lost"
    ] as const) {
      assert.isTrue(mayFail(failure("ConnectionFailed", 3400), disturbed(what)))
      assert.isFalse(mayFail(failure("ConnectionFailed", 3600), disturbed(what)))
      assert.isFalse(mayFail(failure("AuthorizationRequired", 1500), disturbed(what)))
    }
  })
})

const sample = (second: number, fields: Partial<Sample> = {}): Sample => ({
  second,
  requests: 0,
  failed: 0,
  longestStall: 0,
  longestComputation: 0,
  memory: 200,
  highestMemory: 200,
  heap: 30,
  handles: 20,
  ...fields
})

const result = (fields: Partial<SoakResult>): SoakResult => ({
  requests: 1000,
  failures: [],
  disturbed: [],
  samples: [],
  lostGrants: 0,
  isRunning: true,
  ...fields
})

const everyTenSeconds = (fields: (second: number) => Partial<Sample>) =>
  Array.from({ length: 61 }, (_, index) => sample(index * 10, fields(index * 10)))

describe("the verdict on a soak", () => {
  it("failures that were allowed are no problem, and others are", () => {
    const failed = { route: "persons", reason: "ConnectionFailed", count: 3 }
    assert.deepStrictEqual(problemsOf(result({ failures: [{ ...failed, isAllowed: true }] })), [])
    assert.deepStrictEqual(problemsOf(result({ failures: [{ ...failed, isAllowed: false }] })), [
      "3 requests of persons failed: ConnectionFailed"
    ])
  })

  it("more than 5 % of requests that fail because connections broke are a problem", () => {
    const failures = [{ route: "persons", reason: "ConnectionFailed", isAllowed: true, count: 60 }]
    assert.deepStrictEqual(problemsOf(result({ failures })), ["6.0 % failed because connections broke"])
  })

  it("a lost grant and a gateway that ended are problems", () => {
    assert.lengthOf(problemsOf(result({ lostGrants: 1, isRunning: false })), 2)
  })

  it("memory may grow in the first minute, and not after it", () => {
    const early = everyTenSeconds((second) => ({ memory: second < 60 ? 100 : 300 }))
    assert.deepStrictEqual(problemsOf(result({ samples: early })), [])
    const always = everyTenSeconds((second) => ({ heap: 30 + second / 10 }))
    assert.deepStrictEqual(problemsOf(result({ samples: always })), ["heap grew from 39 to 87 MiB"])
  })

  it("handles that stay open are a problem", () => {
    const samples = everyTenSeconds((second) => ({ handles: second }))
    assert.lengthOf(problemsOf(result({ samples })), 1)
  })
})
