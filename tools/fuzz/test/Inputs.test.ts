import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import type { Target } from "../src/run/Target.ts"
import { callbackUrls } from "../src/targets/CallbackUrls.ts"
import { challenges } from "../src/targets/Challenges.ts"
import { configurationFiles } from "../src/targets/ConfigurationFiles.ts"
import { events } from "../src/targets/Events.ts"
import { httpRequests } from "../src/targets/HttpRequests.ts"
import { jsonRpcLines } from "../src/targets/JsonRpcLines.ts"
import { mcpAnswers } from "../src/targets/McpAnswers.ts"
import { metadata } from "../src/targets/Metadata.ts"
import { storeFiles } from "../src/targets/StoreFiles.ts"
import { tokenAnswers } from "../src/targets/TokenAnswers.ts"

/** Inputs of a seed, as they are kept in a file. */
const keptInputs = <Input>({ input, inputs }: Target<Input>, seed: number) =>
  fc.sample(inputs, { seed, numRuns: 50 }).map((one) => JSON.stringify(Schema.encodeSync(input)(one)))

const readAgain = <Input>({ input }: Target<Input>, text: string) =>
  JSON.stringify(Schema.encodeSync(input)(Schema.decodeUnknownSync(input)(JSON.parse(text))))

/** One test for each target, whatever its inputs are. */
const check = <Input>(target: Target<Input>) => {
  it(`${target.name}: a seed gives the same inputs, and what is kept of one is the whole input`, () => {
    const first = keptInputs(target, 1)
    assert.deepStrictEqual(keptInputs(target, 1), first)
    assert.notDeepEqual(keptInputs(target, 2), first)
    assert.isAbove(new Set(first).size, 20)
    for (const text of first) assert.strictEqual(readAgain(target, text), text)
  })
}

describe("the inputs of a target", () => {
  check(callbackUrls)
  check(challenges)
  check(configurationFiles)
  check(events)
  check(httpRequests)
  check(jsonRpcLines)
  check(mcpAnswers)
  check(metadata)
  check(storeFiles)
  check(tokenAnswers)
})
