import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { TestLayer } from "../config/configFile.ts"
import { startCompanyPeople } from "./CompanyPeople.ts"

const headlineOf = (page: { readonly status: number; readonly text: string }) => [
  page.status,
  /<h1>(.*)<\/h1>/.exec(page.text)?.[1]
]

describe("a person whose gateway cannot use its store", () => {
  layer(TestLayer)((it) => {
    it.effect("a grant that cannot be removed is not said to be disconnected", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const directory = yield* files.makeTempDirectoryScoped()
        const addresses = Effect.map(files.readDirectory(directory), (names) =>
          names.filter((name) => name.endsWith(".token")).map((name) => name.replace(".token", ""))
        )
        const { browser, call, colleague, publicUrl } = yield* startCompanyPeople({
          store: { type: "file", directory }
        })
        const ada = yield* colleague("ada")
        const { link = "" } = yield* call(ada)
        const { ask, goAs, openMe, send } = browser()
        yield* openMe("ada")
        const before = yield* addresses
        yield* goAs("ada", link)
        const page = yield* ask(`${publicUrl}/me`)
        assert.include(page.text, "Disconnect")
        // A folder where the record of its removal would be.
        const blocked = (yield* addresses)
          .filter((address) => !before.includes(address))
          .map((address) => `${directory}/leases/${address}.removed`)
        assert.isNotEmpty(blocked)
        for (const path of blocked) yield* files.makeDirectory(path)
        const disconnect = send("/me/disconnect", page.text, { server: "wiki" })
        assert.deepStrictEqual(headlineOf(yield* disconnect), [502, "Not disconnected"])
        assert.strictEqual((yield* call(ada)).status, 200)
        for (const path of blocked) yield* files.remove(path, { recursive: true })
        assert.strictEqual((yield* disconnect).location, `${publicUrl}/me`)
        assert.isDefined((yield* call(ada)).link)
      })
    )

    it.effect(
      "while nobody can say who is logged in, each page says so, and nobody is sent to log in again",
      () =>
        Effect.gen(function* () {
          const files = yield* FileSystem.FileSystem
          const directory = `${yield* files.makeTempDirectoryScoped()}/store`
          const { browser, call, colleague, publicUrl } = yield* startCompanyPeople({
            store: { type: "file", directory }
          })
          const { link = "" } = yield* call(yield* colleague("ada"))
          const { ask, openMe, send } = browser()
          const page = yield* openMe("ada")
          yield* files.rename(directory, `${directory}-away`)
          yield* files.writeFileString(directory, "")
          const answers = [
            yield* ask(`${publicUrl}/me`),
            yield* ask(`${publicUrl}/me/everyone`),
            yield* ask(link),
            yield* ask(`${publicUrl}/me/callback?code=a&state=b`),
            yield* send("/me/connect", page.text, { server: "wiki" }),
            yield* send("/me/logout", page.text)
          ]
          for (const answer of answers) {
            assert.deepStrictEqual(headlineOf(answer), [503, "Try again later"])
            assert.isEmpty(answer.headers.getSetCookie())
            assert.notInclude(answer.text, directory)
          }
        })
    )
  })
})
