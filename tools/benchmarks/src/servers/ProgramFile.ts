import * as Effect from "effect/Effect"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** The path of a file with a CommonJS program, until the scope closes. */
export const programFile = Effect.fnUntraced(function* (program: string) {
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "benchmarks-program-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  const file = join(directory, "program.cjs")
  yield* Effect.promise(() => writeFile(file, program))
  return file
})
