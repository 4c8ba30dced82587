import { assert, describe, it } from "@effect/vitest"
import { hotPlaces } from "../src/profile/CpuProfile.ts"

const frame = (id: number, functionName: string, url: string, lineNumber: number) => ({
  id,
  callFrame: { functionName, url, lineNumber, columnNumber: 0 }
})

describe("the hottest places of a profile", () => {
  it("time is added up by function and by file, and waiting does not count", () => {
    const { files, functions } = hotPlaces(
      {
        nodes: [
          frame(1, "(idle)", "", -1),
          frame(2, "serve", "file:///a.ts", 4),
          frame(3, "", "file:///a.ts", 9),
          frame(4, "serve", "file:///a.ts", 4),
          frame(5, "(garbage collector)", "", -1)
        ],
        samples: [1, 2, 3, 4, 5],
        timeDeltas: [9000, 1000, 2000, 3000, 500]
      },
      (url, line) => `${url.slice("file:///".length)}:${line + 1}`
    )
    assert.deepStrictEqual(functions, [
      { name: "serve  a.ts:5", self: 4 },
      { name: "(anonymous)  a.ts:10", self: 2 },
      { name: "(garbage collector)", self: 0.5 }
    ])
    assert.deepStrictEqual(files, [
      { name: "a.ts", self: 6 },
      { name: "(garbage collector)", self: 0.5 }
    ])
  })
})
