import * as Redacted from "effect/Redacted"

/** The command of a child process. */
export interface ChildCommand {
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** The entry's variables, and those with the token. The child gets these and a few harmless ones. */
  readonly env: Readonly<Record<string, Redacted.Redacted>>
  readonly cwd?: string | undefined
  /** The token among the variables, which may stand there in a format. */
  readonly token?: Redacted.Redacted | undefined
  /** When the token among the variables expires, in milliseconds since the epoch; absent if that is not known. */
  readonly expiresAt?: number | undefined
}

/**
 * The variables that a child inherits, the same as with the MCP SDKs. The gateway's other variables may be client
 * secrets.
 */
const inheritedVariables =
  process.platform === "win32"
    ? [
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
    : ["HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"]

/** The whole environment of a child. */
export const childEnvironment = (command: ChildCommand): Record<string, string | Redacted.Redacted> => {
  const environment: Record<string, string | Redacted.Redacted> = {}
  for (const name of inheritedVariables) {
    const value = process.env[name]
    if (value !== undefined) environment[name] = value
  }
  return { ...environment, ...command.env }
}

/** Values this short are flags and numbers, and hiding them would make logs unreadable. */
const shortestSecret = 4

/**
 * Makes a function that takes the values of the command's variables out of a text: as they are, line by line, and
 * in the encodings in which programs print them.
 */
export const makeRedactor = (command: ChildCommand): ((text: string) => string) => {
  const token = command.token === undefined ? [] : [command.token]
  const values = [...Object.values(command.env), ...token].map(Redacted.value)
  const secrets = [...values, ...values.flatMap((value) => value.split(/\r?\n/))].filter(
    (value) => value.length >= shortestSecret
  )
  const needles = [...new Set(secrets.flatMap(encodings))].sort((a, b) => b.length - a.length)
  return (text) => needles.reduce((redacted, needle) => redacted.replaceAll(needle, "<redacted>"), text)
}

const encodings = (secret: string): ReadonlyArray<string> => [
  secret,
  JSON.stringify(secret).slice(1, -1),
  encodeURIComponent(secret),
  Buffer.from(secret).toString("hex"),
  // The last digits depend on what follows the secret.
  Buffer.from(secret).toString("base64").replace(/.?=*$/, ""),
  Buffer.from(secret).toString("base64url").slice(0, -1)
]
