import { makeSecretCutter } from "@secure-mcp/oauth-flows/internal"
import * as MutableRef from "effect/MutableRef"
import type * as Redacted from "effect/Redacted"

/** The command of a child process. */
export interface ChildCommand {
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** The entry's variables, and those with the token. The child gets these and a few harmless ones. */
  readonly env: Readonly<Record<string, Redacted.Redacted>>
  readonly cwd?: string | undefined
  /** The tokens that the child has got: that among the variables, which may stand there in a format, and later ones. */
  readonly tokens?: (() => ReadonlyArray<Redacted.Redacted>) | undefined
  /** When the token among the variables expires, in milliseconds since the epoch; absent if that is not known. */
  readonly expiresAt?: number | undefined
}

/**
 * The variables that a child inherits, the same as with the MCP SDKs. The gateway's other variables may be client
 * secrets.
 */
const inheritedVariables = ["HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"]
const inheritedOnWindows = [
  "APPDATA",
  "COMSPEC",
  "HOMEDRIVE",
  "HOMEPATH",
  "LOCALAPPDATA",
  "PATH",
  "PATHEXT",
  "PROCESSOR_ARCHITECTURE",
  "PROGRAMDATA",
  "PROGRAMFILES",
  "PROGRAMFILES(X86)",
  "PROGRAMW6432",
  "SYSTEMDRIVE",
  "SYSTEMROOT",
  "TEMP",
  "USERNAME",
  "USERPROFILE",
  "WINDIR"
]

/** The whole environment of a child. */
export const childEnvironment = (
  { env }: Pick<ChildCommand, "env">,
  platform: NodeJS.Platform = process.platform
): Record<string, string | Redacted.Redacted> => {
  const isWindows = platform === "win32"
  // `Path` is PATH there, and of two the system would take any.
  const given = new Set(Object.keys(env).map((name) => (isWindows ? name.toUpperCase() : name)))
  const environment: Record<string, string | Redacted.Redacted> = {}
  for (const name of isWindows ? inheritedOnWindows : inheritedVariables) {
    const value = process.env[name]
    if (value !== undefined && !given.has(name)) environment[name] = value
  }
  return { ...environment, ...env }
}

/**
 * Makes a function that takes the values of the command's variables, and the tokens that the child has got by then, out of a
 * text: as they are, line by line, and in the encodings in which programs print them.
 */
export const makeRedactor = ({ env, tokens }: ChildCommand): ((text: string) => string) => {
  const known = MutableRef.make(makeCutter(env, tokens?.() ?? []))
  return (text) => {
    const current = tokens?.() ?? []
    if (current.length > 0 && current !== MutableRef.get(known).tokens)
      MutableRef.set(known, makeCutter(env, current))
    return MutableRef.get(known).cut(text)
  }
}

const makeCutter = (env: ChildCommand["env"], tokens: ReadonlyArray<Redacted.Redacted>) => ({
  tokens,
  cut: makeSecretCutter([...Object.values(env), ...tokens], "<redacted>")
})
