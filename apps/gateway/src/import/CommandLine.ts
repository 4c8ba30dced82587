import { isJsonObject, objectOf, textOf, type JsonObject } from "./Json.ts"

/** A program that is started, with null taken for "not there" and numbers for texts. */
export interface CommandLine {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
}

/** `command` may be a text, a list, or an object with `path`; undefined if there is none. */
export const commandLine = (entry: JsonObject): CommandLine | undefined => {
  const command = entry["command"] ?? entry["cmd"]
  const nested = objectOf(command)
  const args = texts(entry["args"] ?? entry["arguments"] ?? nested["args"])
  const env = {
    ...environment(entry["environment"] ?? entry["envs"]),
    ...environment(nested["env"]),
    ...environment(entry["env"])
  }
  if (Array.isArray(command)) {
    const [first, ...rest] = texts(command)
    return first === undefined || first === "" ? undefined : { command: first, args: [...rest, ...args], env }
  }
  const path = textOf(isJsonObject(command) ? (nested["path"] ?? nested["command"]) : command)?.trim()
  if (path === undefined || path === "") return undefined
  const words =
    args.length === 0 && !/^[^\s]*[\\/]/.test(path) && !path.includes("${") ? shellWords(path) : [path]
  const [first = path, ...rest] = words ?? [path]
  return { command: first, args: [...rest, ...args], env }
}

const texts = (list: unknown): ReadonlyArray<string> =>
  (Array.isArray(list) ? list : [list]).map(textOf).filter((text) => text !== undefined)

/** An object, or a list of `NAME=value`. */
const environment = (env: unknown): Readonly<Record<string, string>> => {
  const pairs = Array.isArray(env)
    ? texts(env).map((text) => [text.split("=", 1)[0] ?? "", text.slice(text.indexOf("=") + 1)] as const)
    : Object.entries(objectOf(env)).map(([name, value]) => [name, textOf(value)] as const)
  return Object.fromEntries(
    pairs.flatMap(([name, value]) => (name === "" || value === undefined ? [] : [[name, value]]))
  )
}

/** The words of a simple command; undefined if it is more than that. */
const shellWords = (text: string): ReadonlyArray<string> | undefined => {
  if (/[|;&<>`\n]|\$\(/.test(text)) return undefined
  const words = text.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? []
  return words.map((word) =>
    word.replaceAll(/"([^"]*)"|'([^']*)'/g, (_, double?: string, single?: string) => double ?? single ?? "")
  )
}

/** What is started in the end, without the shells and launchers in front: `cmd /c npx -y name …` starts `name …`. */
export const startedPackage = ({ args, command, env }: CommandLine): CommandLine => {
  const name = programName(command)
  const unwrapped = (words: ReadonlyArray<string> | undefined, variables = env): CommandLine | undefined => {
    const [first, ...rest] = words ?? []
    return first === undefined ? undefined : startedPackage({ command: first, args: rest, env: variables })
  }
  const self = { command, args, env }
  switch (name) {
    case "cmd": {
      const start = args.findIndex((arg) => /^\/[ck]$/i.test(arg))
      if (start < 0) return self
      const [first = "", ...rest] = args.slice(start + 1)
      return unwrapped(/\s/.test(first) && rest.length === 0 ? shellWords(first) : [first, ...rest]) ?? self
    }
    case "sh":
    case "bash":
    case "zsh":
    case "powershell":
    case "pwsh": {
      const start = args.findIndex((arg) => /^-(?:[a-z]*c|command)$/i.test(arg))
      const script = start < 0 ? undefined : args[start + 1]
      const rest = name.startsWith("p") ? args.slice(start + 2) : []
      return script === undefined
        ? self
        : (unwrapped(shellWords([script, ...rest].join(" ").replace(/^exec /, ""))) ?? self)
    }
    case "env": {
      const start = args.findIndex((arg) => !/^(?:-\S*|[A-Za-z_]\w*=.*)$/s.test(arg))
      const added = args.slice(0, Math.max(start, 0)).filter((arg) => arg.includes("="))
      return unwrapped(args.slice(start), { ...env, ...environment(added) }) ?? self
    }
    case "wsl":
      return unwrapped(args.slice(args.findIndex((arg) => !/^(?:-e|--exec|--)$/.test(arg)))) ?? self
    case "npx":
    case "bunx":
    case "pnpx":
      return unwrapped(afterFlags(args)) ?? self
    case "npm":
    case "pnpm":
    case "yarn":
    case "bun":
      return /^(?:exec|x|dlx)$/.test(args[0] ?? "") ? (unwrapped(afterFlags(args.slice(1))) ?? self) : self
    default:
      return { command: packageName(command), args, env }
  }
}

/** `C:\tools\NPX.cmd` is `npx`. */
const programName = (command: string): string =>
  (command.split(/[\\/]/).at(-1) ?? command).toLowerCase().replace(/\.(?:cmd|exe|bat|ps1)$/, "")

/** `mcp-remote@latest`, `/usr/bin/mcp-remote` and `npm:mcp-remote` are `mcp-remote`. */
const packageName = (command: string): string =>
  /^[A-Za-z]:\\|^[./~\\]/.test(command)
    ? programName(command)
    : command.replace(/^npm:/, "").replace(/(?!^)@[^/]*$/, "")

/** What a package runner runs. `-p NAME` says where the program that follows comes from. */
const afterFlags = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  let index = 0
  while (index < args.length) {
    const arg = args[index] ?? ""
    if (/^(?:-p|--package|--registry|--cache|--prefix|-w|--workspace)$/.test(arg)) index += 2
    else if (/^(?:-c|--call)$/.test(arg)) return shellWords(args[index + 1] ?? "") ?? []
    else if (arg.startsWith("-")) index += 1
    else break
  }
  return args.slice(index)
}
