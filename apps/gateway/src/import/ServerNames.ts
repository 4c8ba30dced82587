/** Gives each server a name that the gateway can have and that no other has. */
export const makeServerNames = (): ((name: string) => string) => {
  const taken = new Set<string>()
  return (name) => {
    const usable = usableName(name)
    let unique = usable
    for (let count = 2; taken.has(unique); count++) unique = `${usable}-${count}`
    taken.add(unique)
    return unique
  }
}

/** Letters, digits, `.`, `_` and `-`. */
const usableName = (name: string): string => {
  if (/^[\w.-]+$/.test(name) && !/^\.\.?$/.test(name)) return name
  const usable = name
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .replaceAll(/[^\w.-]+/g, "-")
    .replaceAll(/^[-.]+|-+$/g, "")
  return usable === "" ? "server" : usable
}
