import { childConfig, clientEntry } from "./ClientEntry.ts"
import { commandLine, startedPackage } from "./CommandLine.ts"
import { expandHome } from "./text/ForeignReferences.ts"
import { leftOut, type LeftOut, type NewServer, type Reading } from "./ForeignServer.ts"
import { isJsonObject, objectOf, saysSomething, textOf, type JsonObject } from "./Json.ts"
import { isMcpRemote, remoteOfMcpRemote } from "./McpRemote.ts"

/** One of `mcp_config` of enkryptai/secure-mcp-gateway: `config` and `oauth_config`, whose keys begin with `OAUTH_`. */
export const enkryptEntry = (input: unknown, reading: Reading): NewServer | LeftOut => {
  const entry = objectOf(input)
  for (const [key, value] of Object.entries(entry)) {
    if (!["server_name", "config", "oauth_config"].includes(key) && isInUse(value))
      reading.remark(`\`${key}\` is left out`)
  }
  const config = objectOf(entry["config"])
  const oauthConfig = entry["oauth_config"]
  if (!isJsonObject(oauthConfig)) return clientEntry(config, reading)
  if (oauthConfig["enabled"] !== true) return withoutOAuth(clientEntry({ ...config, oauth: false }, reading))
  const oauth = oauthKeys(oauthConfig, reading)
  if (oauth["grant_type"] === "refresh_token")
    return leftOut("`OAUTH_GRANT_TYPE` refresh_token is no way to get a token")
  const line = commandLine(config)
  if (line === undefined) return withOAuth(clientEntry({ ...config, oauth: false }, reading), oauth, reading)
  const started = startedPackage(line)
  if (isMcpRemote(started))
    return withOAuth(remoteOfMcpRemote(started, reading, { isOAuthGiven: true }), oauth, reading)
  return { config: childConfig(line, config, reading), oauth: { ...oauth, token_env: tokenVariables } }
}

/** What a child finds its token in there. */
const tokenVariables = [
  "ENKRYPT_ACCESS_TOKEN",
  { name: "AUTHORIZATION", format: "Bearer {token}" },
  { name: "AUTH_HEADER", format: "Bearer {token}" }
]

/** A policy that is not enabled says nothing. */
const isInUse = (value: unknown): boolean =>
  saysSomething(value) && value !== false && objectOf(value)["enabled"] !== false

const withoutOAuth = (server: NewServer | LeftOut): NewServer | LeftOut =>
  "leftOut" in server ? server : { config: server.config }

const withOAuth = (
  server: NewServer | LeftOut,
  oauth: JsonObject,
  { remark }: Reading
): NewServer | LeftOut => {
  if ("leftOut" in server) return server
  const headers = Object.entries(objectOf(server.config["headers"]))
  const others = headers.filter(([name]) => name.toLowerCase() !== "authorization")
  if (others.length < headers.length) remark("the header Authorization is left out: `oauth` sets it")
  const { headers: _, ...config } = server.config
  const isHttp = [config["url"], oauth["token_url"]].some(
    (url) => typeof url === "string" && /^http:/i.test(url)
  )
  return {
    config: { ...config, ...(others.length === 0 ? {} : { headers: Object.fromEntries(others) }) },
    oauth: { ...(isHttp ? { enforce_https: false } : {}), ...oauth }
  }
}

const secretKeys: ReadonlySet<string> = new Set([
  "client_secret",
  "state",
  "code_verifier",
  "client_key_passphrase"
])

const oauthKeys = (oauthConfig: JsonObject, { remark, text }: Reading): JsonObject => {
  const keys: Record<string, unknown> = { enabled: true }
  for (const [name, value] of Object.entries(oauthConfig)) {
    if (name === "enabled" || name === "is_remote" || !saysSomething(value) || value === "") continue
    const [, key] = /^OAUTH_(\w+)$/.exec(name) ?? []
    if (key === undefined) {
      remark(`\`oauth_config.${name}\` is left out`)
      continue
    }
    const own = key.toLowerCase()
    keys[own] = oauthValue(own, value, text)
  }
  if (typeof keys["version"] === "string") keys["version"] = keys["version"].includes("2.1") ? "2.1" : "2.0"
  if (typeof keys["grant_type"] === "string") keys["grant_type"] = keys["grant_type"].toLowerCase()
  const pair = ["authorization_url", "token_url"] as const
  if (keys["grant_type"] !== "authorization_code") return keys
  const [alone, ...rest] = pair.filter((key) => keys[key] !== undefined)
  if (alone === undefined || rest.length > 0) return keys
  remark(`\`OAUTH_${alone.toUpperCase()}\` without the other endpoint is left out: the gateway finds both`)
  return Object.fromEntries(Object.entries(keys).filter(([key]) => key !== alone))
}

const oauthValue = (key: string, value: unknown, text: Reading["text"]): unknown => {
  if (typeof value === "string") {
    if (key.endsWith("_path")) return text.plain(key, expandHome(value))
    return secretKeys.has(key) ? text.secret(key, value) : text.plain(key, value)
  }
  if (Array.isArray(value)) return value.map(textOf).join(" ")
  if (!isJsonObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) =>
      inner === null ? [] : [[name, typeof inner === "string" ? text.under(name, inner) : inner]]
    )
  )
}
