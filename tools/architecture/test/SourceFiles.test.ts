import { assert, describe, it } from "@effect/vitest"
import { linesInFile } from "../src/Plan.ts"
import { moduleState } from "../src/ModuleState.ts"
import { read, typeScriptFiles } from "../src/Workspace.ts"

const sources = typeScriptFiles("{packages,apps,examples,tools}/*/src/**/*.ts")

describe("a source file", () => {
  it("a source file has no more lines than the plan allows", () => {
    const long = sources.filter((file) => read(file).split("\n").length - 1 > linesInFile)
    assert.deepStrictEqual(long, [])
  })

  it("a source file has no state at the top level of its module", () => {
    const found = sources.flatMap((file) => moduleState(file).map((name) => `${file}: ${name}`))
    assert.deepStrictEqual(found, [])
  })
})

describe("the state of a module", () => {
  it("module state is let, and collections without a readonly type", () => {
    const text = [
      "let count = 0",
      "const cache = new Map<string, number>()",
      "export const seen: WeakMap<object, number> = new WeakMap()",
      "const names: ReadonlySet<string> = new Set()",
      'const table: ReadonlyMap<string, number> = new Map([["a", 1]])',
      "const local = () => { let inside = 0; return new Map() }"
    ].join("\n")
    assert.deepStrictEqual(moduleState("File.ts", text), ["count", "cache", "seen"])
  })
})
