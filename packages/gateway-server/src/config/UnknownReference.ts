/** Said of a text that only looks like a reference. Nobody is without a way to write it. */
const literally = "a text that is meant literally belongs in a variable or a file"

/** A reference as another program writes it, and nothing else. The name may be shown where it cannot be a secret. */
const wholeForms: ReadonlyArray<RegExp> = [
  /^\$\{\{\s*(?:[\w-]+\.)*([A-Za-z_]\w*)\s*\}\}$/,
  /^\{\{\s*(?:[\w-]+\.)*([A-Za-z_]\w*)\s*\}\}$/,
  /^\{env:([A-Za-z_]\w*)\}$/,
  /^\$env:([A-Za-z_]\w*)$/,
  /^\$\{([A-Za-z_]\w*)\}$/
]

/** The same without brackets: a password may look so, and is not shown. */
const bareForms = /^(?:\$[A-Za-z_]\w*|%[A-Za-z_]\w*%)$/

/** In brackets with more than a name: `${X:-default}`, `${input:id}`. */
const otherBraces = /^\$\{([A-Za-z_]\w*)(?::[^{}]*|[-=?+][^{}]*)?\}$/

/** Next to other text, where nothing but the gateway could replace it. */
const inside = /\$\{[A-Za-z_]\w*(?:[:=?+-][^{}]*)?\}|\{\{\s*[\w.]+\s*\}\}|\{env:\w+\}/

/**
 * What is wrong with a text that holds a reference in another program's form, which would be sent as it stands;
 * undefined if it holds none. `${env:…}` and `${file:…}` are taken out before.
 *
 * A password may hold a `$`: forms without brackets count only where they are the whole text, or all that follows
 * `Bearer ` and the like. In arguments and variables of a child, which may have references of their own, all forms do.
 */
export const unknownReference = (text: string, path: ReadonlyArray<PropertyKey>): string | undefined => {
  const isForChild = path[2] === "config" && (path[3] === "args" || path[3] === "env")
  const whole = isForChild ? text.replace(/^-{0,2}[\w.-]+=/, "") : text
  const form = formOf(whole.trim().replace(/^(?:Bearer|Basic|Token)\s+/i, ""))
  if (form !== undefined || isForChild) return form
  const part = inside.exec(text)?.[0]
  return part === undefined ? undefined : (formOf(part) ?? `${unknown}; ${literally}`)
}

const unknown = "is no reference that the gateway knows: write ${env:NAME} or ${file:/path}"

const formOf = (text: string): string | undefined => {
  const name = wholeForms.map((form) => form.exec(text)?.[1]).find((found) => found !== undefined)
  if (name !== undefined) {
    return `the reference to ${name} is written as another program has it: write \${env:${name}}; ${literally}`
  }
  if (bareForms.test(text)) {
    return `looks like a reference to a variable as a shell has it: write \${env:NAME}; ${literally}`
  }
  return otherBraces.test(text) ? `${unknown}, which have no default; ${literally}` : undefined
}
