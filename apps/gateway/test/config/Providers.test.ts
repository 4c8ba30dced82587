import { assert, describe, it } from "@effect/vitest"
import { providerNames, providerProfiles } from "@secure-mcp/oauth-core/internal"
import { decodeServerEntry } from "@secure-mcp/transport-injection"
import * as Result from "effect/Result"
import { readFileSync } from "node:fs"

const manual = readFileSync(new URL("../../../../docs/providers.md", import.meta.url), "utf8")

const entries = [...manual.matchAll(/^```json\n(?<text>.*?)^```$/gms)].map(({ groups }) =>
  Result.getOrThrow(decodeServerEntry(JSON.parse(groups?.["text"] ?? "")))
)

describe("the page about providers", () => {
  it.each(providerNames)("the page about providers has an entry for %s that decodes", (provider) => {
    const entry = entries.find(({ serverName }) => serverName === provider)
    assert.strictEqual(entry?.oauth?.provider, provider)
    assert.strictEqual(entry?.oauth?.version, "2.1")
  })

  it("every JSON block of the page about providers decodes", () => {
    assert.lengthOf(entries, providerNames.length)
    assert.lengthOf([...manual.matchAll(/^```json$/gm)], entries.length)
  })

  it.each(providerNames)("the page about providers says everything of the profile of %s", (provider) => {
    const { needs, presets } = providerProfiles[provider]
    for (const { effect, key, member, source, value } of presets) {
      const name = member === undefined ? key : `${key}.${member}`
      assert.include(manual, `- \`${name}\`: \`${JSON.stringify(value)}\` ${effect} ([source](${source})).`)
    }
    for (const { source, what } of needs) assert.include(manual, ` ${what} ([source](${source})).`)
  })
})
