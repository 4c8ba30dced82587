import { assert, describe, it } from "@effect/vitest"
import { changeGroup } from "@secure-mcp/token-cache"
import { makeChangeHistory } from "../src/memory/ChangeHistory.ts"
import { keyOf } from "./fixtures.ts"

const at = (time: number) => ({ wall: 1_000_000 + time, monotonic: time })
const [ours, other] = [keyOf("ours"), keyOf("other")]

/** A reading that was asked for at a time and answered ten milliseconds later. */
const read = (
  history: ReturnType<typeof makeChangeHistory>,
  asked: number,
  groups: ReadonlyArray<number> | undefined
) => history.add({ cursor: String(asked), groups: groups && new Set(groups) }, at(asked), at(asked + 10))

const begun = () => {
  const history = makeChangeHistory()
  read(history, 100, undefined)
  return history
}

const asked = (askedAt: number | undefined) => ({ checkedAt: at(askedAt ?? 0), askedAt })

describe("the history of changes", () => {
  it("the history confirms a token that was asked about after it began and has not changed since", () => {
    const history = begun()
    assert.isUndefined(history.confirm(ours, asked(200)), "nothing was read since")
    read(history, 300, [changeGroup(other)])
    assert.deepStrictEqual(history.confirm(ours, asked(200)), { checkedAt: at(310), askedAt: 300 })
    assert.isUndefined(history.confirm(other, asked(200)))
    assert.strictEqual(history.cursor(), "300")
  })

  it("the history confirms nothing that was asked about before its first reading was answered", () => {
    const history = begun()
    read(history, 300, [])
    assert.isUndefined(history.confirm(ours, asked(105)), "the answer may be older than the first reading")
    assert.isUndefined(history.confirm(ours, asked(undefined)))
  })

  it("a change counts until the store is asked after the reading that told it was answered", () => {
    const history = begun()
    read(history, 300, [changeGroup(ours)])
    read(history, 500, [])
    assert.isUndefined(history.confirm(ours, asked(305)), "the answer may be older than the change")
    assert.isDefined(history.confirm(ours, asked(311)))
  })

  it("a confirmation is confirmed again, until there is a change", () => {
    const history = begun()
    read(history, 300, [])
    const first = history.confirm(ours, asked(200))
    assert.isDefined(first)
    read(history, 500, [])
    assert.deepStrictEqual(first && history.confirm(ours, first), { checkedAt: at(510), askedAt: 500 })
    read(history, 700, [changeGroup(ours)])
    assert.isUndefined(first && history.confirm(ours, first))
  })

  it("a store that cannot say what has changed begins a new history", () => {
    const history = begun()
    read(history, 300, undefined)
    assert.isUndefined(history.confirm(ours, asked(200)))
    read(history, 500, [])
    assert.isUndefined(history.confirm(ours, asked(200)))
    assert.isDefined(history.confirm(ours, asked(400)))
  })

  it("the group of a key is the same in every process and version", () => {
    const key = { projectId: "p", configId: "c", serverName: "s", personal: true, fingerprint: "f" }
    assert.strictEqual(changeGroup(key), 443_230)
  })
})
