import { inject } from "vitest"

const response = await fetch(inject("commandBundler"))
const text = await response.text()
if (!response.ok) throw new Error(`The command cannot be bundled: ${text}`)

/** A folder with what is published of the command, `bin`, `dist` and `package.json`, and no `node_modules` above it. */
export const bundledCommand = text
