import json5 from "json5"
import type { CommandLine } from "./CommandLine.ts"
import type { LeftOut, NewServer, Reading } from "./ForeignServer.ts"
import { isJsonObject, textOf, type JsonObject } from "./Json.ts"
import { remoteServer, type RemoteHeader } from "./RemoteServer.ts"
import { isSecret } from "./text/SecretNames.ts"
import { variableNames } from "./text/Variables.ts"

/** Whether a program is `mcp-remote`, which makes a remote server look like a local one. */
export const isMcpRemote = ({ args, command }: CommandLine): boolean =>
  command === "mcp-remote" ||
  (/^(?:node|deno|bun)$/.test(command) &&
    args.some((arg) => /(?:^|[\\/:])mcp-remote(?:@[^\\/]*)?(?:[\\/]dist[\\/]proxy\.js)?$/.test(arg)))

/** The flags of `mcp-remote` that have a value. */
const valueFlags: ReadonlySet<string> = new Set([
  "--header",
  "--transport",
  "--host",
  "--static-oauth-client-metadata",
  "--static-oauth-client-info",
  "--resource",
  "--ignore-tool",
  "--auth-timeout"
])

interface Flags {
  readonly url: string | undefined
  readonly port: string | undefined
  readonly values: ReadonlyArray<readonly [flag: string, value: string]>
  /** Those without a value, and whatever `mcp-remote` does not know. */
  readonly others: ReadonlyArray<string>
}

const readFlags = (args: ReadonlyArray<string>): Flags => {
  const positional: Array<string> = []
  const values: Array<readonly [string, string]> = []
  const others: Array<string> = []
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? ""
    const value = args[index + 1]
    if (valueFlags.has(arg) && value !== undefined) {
      values.push([arg, value])
      index += 1
    } else if (arg.startsWith("-")) others.push(arg.split("=", 1)[0] ?? arg)
    else positional.push(arg)
  }
  const start = positional.findIndex((arg) => /:\/\/|^\$|^\{|^%/.test(arg))
  const [url, port, ...rest] = start < 0 ? [] : positional.slice(start)
  const isPort = port !== undefined && /^\d+$/.test(port)
  if (rest.length > 0 || (port !== undefined && !isPort)) others.push("further arguments")
  return { url, port: isPort ? port : undefined, values, others }
}

/** The server that `mcp-remote` is told to reach. */
export const remoteOfMcpRemote = (
  line: CommandLine,
  reading: Reading,
  options: { readonly isOAuthGiven?: boolean } = {}
): NewServer | LeftOut => {
  const { remark } = reading
  const { others, port, url, values } = readFlags(line.args)
  if (url === undefined) return { leftOut: "mcp-remote is started without a URL" }
  const valueOf = (flag: string) => values.findLast(([name]) => name === flag)?.[1]
  for (const flag of new Set(others))
    if (!/^(?:--allow-http|--disable-resource-parameter)$/.test(flag)) named(flag, remark)
  for (const flag of ["--auth-timeout", "--ignore-tool"]) if (valueOf(flag) !== undefined) named(flag, remark)

  const used = new Set<string>()
  const headers = values.flatMap(([flag, value]) => {
    if (flag !== "--header") return []
    const header = readHeader(value, line.env, used, reading)
    if (header === undefined) remark("`--header` with something that is no header is left out")
    return header === undefined ? [] : [header]
  })
  for (const name of Object.keys(line.env)) if (!used.has(name)) named(`env.${name}`, remark)

  const transport = valueOf("--transport")
  const skipsResource =
    others.includes("--disable-resource-parameter") || valueOf("--resource")?.trim() === ""
  const callback = callbackOf(port, valueOf("--host"), remark)
  const client = {
    ...clientFrom(
      "--static-oauth-client-metadata",
      ["scope", "client_name"],
      valueOf("--static-oauth-client-metadata"),
      reading
    ),
    ...clientFrom(
      "--static-oauth-client-info",
      ["client_id", "client_secret", "scope", "client_name", "token_endpoint_auth_method"],
      valueOf("--static-oauth-client-info"),
      reading
    )
  }
  const resource = skipsResource ? false : valueOf("--resource")?.trim()
  const oauth = {
    ...client,
    ...(callback === undefined ? {} : { redirect_uri: callback }),
    ...(resource === undefined
      ? {}
      : { resource: resource === false ? false : reading.text.plain("resource", resource) })
  }
  return remoteServer(
    {
      url,
      headers,
      isSse: transport?.startsWith("sse") === true ? `--transport ${transport}` : undefined,
      oauth: options.isOAuthGiven === true ? { given: oauth } : { keys: oauth },
      origins: {
        resource: skipsResource ? "`--disable-resource-parameter`" : "`--resource`",
        redirect_uri: `the port ${port ?? ""} of the callback and \`--host\``,
        client_id: "`--static-oauth-client-info`",
        client_secret: "`--static-oauth-client-info`",
        scope: "`--static-oauth-client-metadata`"
      }
    },
    reading
  )
}

const named = (flag: string, remark: (text: string) => void) => remark(`\`${flag}\` is left out`)

/** `mcp-remote` reads `${X}` in headers from its own environment. */
const readHeader = (
  text: string,
  env: Readonly<Record<string, string>>,
  used: Set<string>,
  { server }: Reading
): RemoteHeader | undefined => {
  const [, name, value] = /^([\w-]+):\s*([\s\S]*)$/.exec(text) ?? []
  if (name === undefined || value === undefined) return undefined
  const inside = [...value.matchAll(/\$\{([^}]+)\}/g)]
    .map(([, variable = ""]) => variable)
    .filter((variable) => env[variable] !== undefined)
  for (const variable of inside) used.add(variable)
  const [variable] = inside
  const own = variable === undefined ? undefined : env[variable]
  const hasScheme = own !== undefined && /^\s*(?:Bearer|Basic)\s/i.test(own)
  return {
    name,
    value: value.replaceAll(/\$\{([^}]+)\}/g, (whole, variable: string) => env[variable] ?? whole),
    isSecret:
      isSecret(name, value) || (variable !== undefined && own !== undefined && isSecret(variable, own)),
    names: variable === undefined || hasScheme ? undefined : variableNames(server, variable)
  }
}

const callbackOf = (port: string | undefined, host: string | undefined, remark: (text: string) => void) => {
  if (port === undefined) {
    if (host !== undefined) remark("`--host` without a port is left out: the gateway chooses both")
    return undefined
  }
  return `http://${host ?? "localhost"}:${port}/oauth/callback`
}

/** The keys of a JSON text, or of the file that `@path` names. */
const clientFrom = (
  flag: string,
  known: ReadonlyArray<string>,
  value: string | undefined,
  { fileText, remark, text }: Reading
): JsonObject => {
  if (value === undefined) return {}
  const content = value.startsWith("@") ? fileText(value.slice(1)) : value
  if (content === undefined) {
    remark(`\`${flag}\` is left out: the file ${value.slice(1)} cannot be read`)
    return {}
  }
  const document = parsed(content)
  if (document === undefined) {
    remark(`\`${flag}\` is left out: it is no JSON object`)
    return {}
  }
  const others = Object.keys(document).filter((key) => !known.includes(key))
  if (others.length > 0) remark(`\`${flag}\`: ${others.join(", ")} left out`)
  return Object.fromEntries(
    known.flatMap((key) => {
      const given = textOf(document[key])
      return given === undefined || given === ""
        ? []
        : [[key, key === "client_secret" ? text.secret(key, given) : text.plain(key, given)]]
    })
  )
}

const parsed = (content: string): JsonObject | undefined => {
  try {
    const document: unknown = json5.parse(content)
    return isJsonObject(document) ? document : undefined
  } catch {
    return undefined
  }
}
