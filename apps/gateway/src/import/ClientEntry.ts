import { clientOAuth } from "./ClientOAuth.ts"
import { commandLine, startedPackage, type CommandLine } from "./CommandLine.ts"
import { leftOut, type LeftOut, type NewServer, type Reading } from "./ForeignServer.ts"
import { isJsonObject, objectOf, saysSomething, textOf, type JsonObject } from "./Json.ts"
import { isMcpRemote, remoteOfMcpRemote } from "./McpRemote.ts"
import { remoteServer, type RemoteHeader } from "./RemoteServer.ts"

/** A server of an MCP client: of Claude, Cursor, VS Code, Gemini, Zed, opencode, Codex and their relatives. */
export const clientEntry = (input: unknown, reading: Reading): NewServer | LeftOut => {
  if (!isJsonObject(input)) return leftOut("it is empty")
  const entry = flattened(input)
  const address = ["url", "serverUrl", "httpUrl", "uri", "endpoint"].find((key) => textOf(entry[key])?.trim())
  const line = commandLine(entry)
  const type = textOf(entry["type"]) ?? textOf(entry["transport"]) ?? ""
  const isStarted = line !== undefined && (address === undefined || /^(?:stdio|local)$/i.test(type))
  if (entry["disabled"] === true || entry["enabled"] === false) {
    reading.remark(
      `it is switched off there (\`${entry["disabled"] === true ? "disabled" : "enabled"}\`), but not here: take it out if you do not want it`
    )
  }
  if (!isStarted && address === undefined) {
    const keys = Object.keys(entry).filter((key) => saysSomething(entry[key]))
    return leftOut(
      keys.length === 0 ? "it is empty" : `it has neither a URL nor a command (only ${keys.join(", ")})`
    )
  }
  const known = isStarted ? [...stdioKeys, ...commonKeys] : [...remoteKeys, ...commonKeys]
  for (const [key, value] of Object.entries(entry)) {
    if (!known.includes(key) && key !== address && saysSomething(value))
      reading.remark(`\`${key}\` is left out`)
  }
  if (isStarted) return startedServer(line, entry, reading)
  if (/^wss?$|websocket/i.test(type)) return leftOut("the gateway speaks no WebSocket (ws:, wss:)")
  return remoteServer(
    {
      url: textOf(entry[address ?? ""]) ?? "",
      headers: headersOf(entry),
      isSse: /sse/i.test(type) && !/http/i.test(type) ? `type ${type}` : undefined,
      oauth: clientOAuth(entry, reading)
    },
    reading
  )
}

/** The places of `transport: { url }` and `requestInit: { headers }` made those of everybody else. */
const flattened = (input: JsonObject): JsonObject => {
  const { requestInit, transport, ...entry } = input
  const request = objectOf(requestInit)
  const { headers = request["headers"] ?? entry["headers"] } = request
  return {
    ...entry,
    ...(isJsonObject(transport) ? transport : saysSomething(transport) ? { transport } : {}),
    ...(headers === undefined ? {} : { headers: { ...objectOf(entry["headers"]), ...objectOf(headers) } }),
    ...(isJsonObject(transport) && isJsonObject(transport["headers"])
      ? { headers: transport["headers"] }
      : {})
  }
}

const commonKeys = ["type", "transport", "enabled", "disabled", "source", "name", "id", "server_name"]
const stdioKeys = ["command", "cmd", "args", "arguments", "env", "environment", "envs", "cwd"]
const remoteKeys = [
  "headers",
  "http_headers",
  "env_http_headers",
  "bearer_token_env_var",
  "bearerTokenEnvVar",
  "bearerToken",
  "oauth",
  "auth"
]

const headersOf = (entry: JsonObject): ReadonlyArray<RemoteHeader> => {
  const headers = { ...objectOf(entry["http_headers"]), ...objectOf(entry["headers"]) }
  const fromVariables = Object.entries(objectOf(entry["env_http_headers"])).map(
    ([name, variable]) => [name, `\${${textOf(variable) ?? ""}}`] as const
  )
  const variable = textOf(entry["bearer_token_env_var"] ?? entry["bearerTokenEnvVar"])
  const token = variable === undefined ? textOf(entry["bearerToken"]) : `\${${variable}}`
  return [
    ...Object.entries(headers).flatMap(([name, value]) => {
      const text = textOf(value)
      return text === undefined ? [] : [{ name, value: text }]
    }),
    ...fromVariables.map(([name, value]) => ({ name, value })),
    ...(token === undefined ? [] : [{ name: "Authorization", value: `Bearer ${token}` }])
  ]
}

const startedServer = (line: CommandLine, entry: JsonObject, reading: Reading): NewServer | LeftOut => {
  const { remark } = reading
  const started = startedPackage(line)
  if (isMcpRemote(started)) {
    if (saysSomething(entry["cwd"])) remark("`cwd` is left out")
    return remoteOfMcpRemote(started, reading)
  }
  return { config: childConfig(line, entry, reading) }
}

/** The `config` of a child process. */
export const childConfig = (
  { args, command, env }: CommandLine,
  entry: JsonObject,
  { text }: Reading
): JsonObject => {
  const cwd = textOf(entry["cwd"])
  const variables = Object.entries(env).map(([name, value]) => [name, text.under(name, value)] as const)
  return {
    command: text.plain("command", command),
    ...(args.length === 0 ? {} : { args: text.args(args) }),
    ...(variables.length === 0 ? {} : { env: Object.fromEntries(variables) }),
    ...(cwd === undefined || cwd === "" ? {} : { cwd: text.plain("cwd", cwd) })
  }
}
