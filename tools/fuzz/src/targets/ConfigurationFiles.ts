import { loadConfigFile } from "@secure-mcp/gateway-server"
import { importFiles } from "@secure-mcp/gateway/internal"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { configurationTexts, foreignTexts } from "../input/ConfigDocuments.ts"
import { secretNamed } from "../input/Secrets.ts"
import type { Target } from "../run/Target.ts"
import { fileServices, makeFolder } from "../servers/Folder.ts"

const secrets = {
  inFile: secretNamed("written-in-the-file"),
  referredTo: secretNamed("in-a-file-of-its-own"),
  inEnvironment: secretNamed("in-the-environment")
}

const Input = Schema.Struct({
  /** Whose file it is. */
  program: Schema.Literals(["gateway", "other", "other, as TOML"]),
  text: Schema.String
})

/** Configuration files of the gateway, and of other programs, which `import` reads. */
export const configurationFiles: Target<typeof Input.Type> = {
  name: "configuration-files",
  input: Input,
  secrets: Object.values(secrets),
  inputs: fc.oneof(
    fc.record({ program: fc.constant("gateway"), text: configurationTexts(secrets.inFile) }),
    fc.record({ program: fc.constant("other"), text: foreignTexts(secrets.inFile) }),
    fc.record({
      program: fc.constant("other, as TOML"),
      text: foreignTexts("no-secret").map((text) => text.replaceAll(/"(\w+)":/g, "$1 = "))
    })
  ),
  open: Effect.gen(function* () {
    const services = yield* fileServices
    const folder = yield* makeFolder
    writeFileSync(join(folder, "secret.txt"), `${secrets.referredTo}\n`)
    return ({ program, text }) => {
      const path = join(folder, program === "other, as TOML" ? "foreign.toml" : "document.json")
      writeFileSync(path, text)
      return Effect.gen(function* () {
        if (program === "gateway") return [describe(yield* Effect.result(loadConfigFile(path)), () => "")]
        return [describe(yield* Effect.result(importFiles([path])), shownOf)]
      }).pipe(Effect.provideService(ConfigProvider.ConfigProvider, environment), Effect.provide(services))
    }
  })
}

/** What a person sees of a file that was read, or not. */
const describe = <A, E>(result: Result.Result<A, E>, show: (value: A) => string): unknown =>
  Result.match(result, {
    onFailure: (error) => (error instanceof Error ? `${error.message} ${error.stack}` : error),
    onSuccess: show
  })

/** What the command shows; it names variables, and not what they hold. */
const shownOf = ({ document, remarks, variables }: Effect.Success<ReturnType<typeof importFiles>>) =>
  JSON.stringify([document, remarks, variables.map(({ name }) => name)])

const environment = ConfigProvider.fromEnv({
  env: { FUZZ_SECRET: secrets.inEnvironment, FUZZ_URL: "https://api.example" }
})
