/** A variable that the new configuration refers to. */
export interface Variable {
  readonly name: string
  /** What it stands for in the files; undefined if they do not say. Never shown. */
  readonly value: string | undefined
  /** Who uses it. */
  readonly servers: ReadonlySet<string>
  /** Whether the files themselves refer to it by this name. */
  readonly isTheirs: boolean
}

/** Gives out variables: one for each value, and none by a name that a file refers to itself. */
export interface Variables {
  /** `${env:NAME}` for a variable that a file refers to. */
  readonly theirs: (name: string, server: string) => string
  /**
   * `${env:NAME}` for something that has no variable yet.
   *
   * @param key what it is: the same key gives the same variable
   * @param names what it may be called, best first
   */
  readonly ours: (key: string, names: ReadonlyArray<string>, server: string, value?: string) => string
  readonly all: () => ReadonlyArray<Variable>
}

export const makeVariables = (reserved: ReadonlySet<string>): Variables => {
  const variables = new Map<string, Variable & { readonly servers: Set<string> }>()
  const byKey = new Map<string, string>()
  const use = (name: string, server: string) => {
    variables.get(name)?.servers.add(server)
    return `\${env:${name}}`
  }
  const isFree = (name: string) => !variables.has(name) && !reserved.has(name)
  return {
    theirs: (name, server) => {
      if (!variables.has(name))
        variables.set(name, { name, value: undefined, servers: new Set(), isTheirs: true })
      return use(name, server)
    },
    ours: (key, names, server, value) => {
      const known = byKey.get(key)
      if (known !== undefined) return use(known, server)
      const last = names.at(-1) ?? "SECRET"
      let name = names.find(isFree)
      for (let count = 2; name === undefined; count++) {
        if (isFree(`${last}_${count}`)) name = `${last}_${count}`
      }
      byKey.set(key, name)
      variables.set(name, { name, value, servers: new Set(), isTheirs: false })
      return use(name, server)
    },
    all: () => [...variables.values()]
  }
}

/** `api-key` and `apiKey` become `API_KEY`. */
export const variableName = (text: string): string => {
  const name = text
    .normalize("NFKD")
    .replaceAll(/([a-z\d])([A-Z])/g, "$1_$2")
    .replaceAll(/\W+/g, "_")
    .replaceAll(/^_+|_+$/g, "")
    .toUpperCase()
  if (name === "") return "VALUE"
  return /^\d/.test(name) ? `_${name}` : name
}

/** What a secret of a server may be called: by its own name if that is one of a variable, else with the server's. */
export const variableNames = (server: string, name: string): ReadonlyArray<string> => {
  const prefix = variableName(server)
  const own = variableName(name)
  const full = own === prefix || own.startsWith(`${prefix}_`) ? own : `${prefix}_${own}`
  return /^[A-Z][A-Z\d]*(?:_[A-Z\d]+)+$/.test(name) ? [name, full] : [full]
}
