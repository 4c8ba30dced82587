import { readFileSync } from "node:fs"

/** The source file that is replaced, and the file that has its new text. */
export const mutatedFile = "MUTATED_FILE"
export const mutatedText = "MUTATED_TEXT"

/** A Vite plugin that gives the tests a mutated source. The file itself stays as it is. */
export const mutatedSource = (env: NodeJS.ProcessEnv) => ({
  name: "mutated-source",
  enforce: "pre" as const,
  load(id: string) {
    const [file, text] = [env[mutatedFile], env[mutatedText]]
    return file !== undefined && text !== undefined && id.split("?")[0] === file
      ? readFileSync(text, "utf8")
      : undefined
  }
})
