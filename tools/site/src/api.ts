import { join, resolve } from "node:path"
import { writeApiReference } from "./ApiReference.ts"
import { publicEntries } from "./Entries.ts"
import { output } from "./Repository.ts"

/** `npm run docs:api`: the API reference alone. */
const directory = join(output, "api")
await writeApiReference(
  publicEntries(),
  resolve(import.meta.dirname, "../tsconfig.reference.json"),
  directory
)
process.stdout.write(`${join(directory, "index.html")}\n`)
