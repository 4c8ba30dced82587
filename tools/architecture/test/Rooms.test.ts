import { assert, describe, it } from "@effect/vitest"
import { plan } from "../src/Plan.ts"
import { roomProblems } from "../src/Rooms.ts"
import { importsOf, read, typeScriptFiles } from "../src/Workspace.ts"

const rooms = { http: ["login"], login: [] }

const file = (path: string, ...imports: ReadonlyArray<string>) => ({ path, imports })

const sorted = <A>(record: Readonly<Record<string, A>>): Record<string, A> =>
  Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)))

/** The tables below headings such as "The rooms of `oauth-flows`", by the project's folder. */
const documentedRooms = (text: string): Record<string, Record<string, ReadonlyArray<string>>> =>
  Object.fromEntries(
    [...text.matchAll(/^## The rooms of `([^`]+)`\n([\s\S]*?)(?=^## )/gm)].map(
      ([, name = "", section = ""]) => [
        name.includes("/") ? name : `packages/${name}`,
        sorted(Object.fromEntries([...section.matchAll(/^\| `([^`]+)` .*\|([^|]*)\|$/gm)].map(row)))
      ]
    )
  )

const row = ([, folder = "", arrows = ""]: RegExpExecArray): [string, ReadonlyArray<string>] => [
  folder.replace(/\/$/, ""),
  [...arrows.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name)
]

const inBothRooms = [file("http/Route.ts"), file("login/Login.ts")]

describe("the rooms of a project", () => {
  it.each(Object.entries(plan))("%s has the folders and the imports of the plan", (folder, project) => {
    const files = typeScriptFiles(`${folder}/src/**/*.ts`).map((path) => ({
      path: path.slice(`${folder}/src/`.length),
      imports: importsOf(path)
    }))
    assert.deepStrictEqual(roomProblems(files, project.rooms), [])
  })
})

describe("docs/architecture.md", () => {
  it("docs/architecture.md shows the same rooms and arrows as the plan", () => {
    const planned = Object.entries(plan)
      .filter(([, project]) => Object.keys(project.rooms).length > 0)
      .map(([folder, project]) => [folder, sorted(project.rooms)])
    assert.deepStrictEqual(
      sorted(documentedRooms(read("docs/architecture.md"))),
      sorted(Object.fromEntries(planned))
    )
  })
})

describe("the check of rooms", () => {
  it("an import along an arrow, inside a room or from the files on top is accepted", () => {
    const files = [
      ...inBothRooms,
      file("http/Server.ts", "./Route.ts", "../login/Login.ts", "effect/Effect"),
      file("index.ts", "./http/Server.ts")
    ]
    assert.deepStrictEqual(roomProblems(files, rooms), [])
  })

  it("an import against an arrow is found", () => {
    const files = [...inBothRooms, file("login/Prompt.ts", "../http/Route.ts")]
    assert.deepStrictEqual(roomProblems(files, rooms), ["login/Prompt.ts -> ../http/Route.ts"])
  })

  it("an import of a file on top is found", () => {
    const files = [...inBothRooms, file("Gateway.ts"), file("http/Server.ts", "../Gateway.ts")]
    assert.deepStrictEqual(roomProblems(files, rooms), ["http/Server.ts -> ../Gateway.ts"])
  })

  it("an import of a file on top needs an arrow, and these files have arrows of their own", () => {
    const planned = { ...rooms, ".": ["login"], cli: ["."] }
    const files = [
      ...inBothRooms,
      file("Gateway.ts", "./login/Login.ts", "./http/Route.ts"),
      file("cli/Serve.ts", "../Gateway.ts"),
      file("main.ts", "./cli/Serve.ts")
    ]
    assert.deepStrictEqual(roomProblems(files, planned), ["Gateway.ts -> ./http/Route.ts"])
  })

  it("an import of an entry point is found", () => {
    const files = [...inBothRooms, file("index.ts"), file("Gateway.ts", "./index.ts")]
    assert.deepStrictEqual(roomProblems(files, rooms), ["Gateway.ts -> ./index.ts"])
  })

  it("a room that is only in the source or only in the plan is found", () => {
    assert.deepStrictEqual(roomProblems([file("http/Route.ts"), file("new/New.ts")], rooms), [
      "new/ is not in the plan",
      "login/ is in the plan only"
    ])
  })

  it("a room with too many files is found", () => {
    const files = Array.from({ length: 16 }, (_, index) => file(`http/File${index}.ts`))
    assert.deepStrictEqual(roomProblems([...files, file("login/Login.ts")], rooms), ["http/ has 16 files"])
  })

  it("a circle in the plan itself is found", () => {
    assert.deepStrictEqual(roomProblems(inBothRooms, { http: ["login"], login: ["http"] }), [
      "circle in the plan: http",
      "circle in the plan: login"
    ])
  })
})

describe("the imports of a file", () => {
  it("imports are found in every form, and not in texts or comments", () => {
    const text = [
      'import { a } from "./A.ts"',
      'import type { B } from "./B.ts"',
      'export * from "./C.ts"',
      'export { d } from "./D.ts"',
      'import "./E.ts"',
      'const f = await import("./F.ts")',
      'const g: import("./G.ts").G = f',
      'const text = `import "./None.ts"` // import "./None.ts"'
    ].join("\n")
    assert.deepStrictEqual(importsOf("File.ts", text).toSorted(), [
      "./A.ts",
      "./B.ts",
      "./C.ts",
      "./D.ts",
      "./E.ts",
      "./F.ts",
      "./G.ts"
    ])
  })
})
