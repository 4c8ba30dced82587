import { isJsonObject, objectOf, saysSomething, textOf, type JsonObject } from "./Json.ts"

/** A server found in a document. */
export interface FoundServer {
  readonly name: string
  readonly entry: unknown
  readonly dialect: "client" | "enkrypt"
}

/** Finds the servers of a document, wherever the programs that are known put them. */
export const findServers = (input: unknown): ReadonlyArray<FoundServer> => {
  const document = objectOf(input)
  const mcp = objectOf(document["mcp"])
  const tables = [
    document["mcpServers"],
    document["mcp_servers"],
    document["context_servers"],
    document["servers"],
    document["mcp.servers"],
    document["amp.mcpServers"],
    mcp["servers"],
    mcp["mcpServers"],
    opencodeServers(mcp),
    ...Object.values(objectOf(document["projects"])).map((project) => objectOf(project)["mcpServers"])
  ]
  return [
    ...tables.flatMap(serversOf),
    ...Object.values(objectOf(document["mcp_configs"])).flatMap(enkryptServers)
  ]
}

/** A table by name, or a list of servers that say their names. */
const serversOf = (table: unknown): ReadonlyArray<FoundServer> => {
  if (Array.isArray(table)) {
    return table.flatMap((entry: unknown) => {
      const name = nameOf(entry)
      return name === undefined ? [] : [{ name, entry, dialect: "client" as const }]
    })
  }
  return Object.entries(objectOf(table)).map(([name, entry]) => ({ name, entry, dialect: "client" }))
}

const nameOf = (entry: unknown): string | undefined =>
  textOf(objectOf(entry)["server_name"]) ?? textOf(objectOf(entry)["name"]) ?? textOf(objectOf(entry)["id"])

const ofOtherPrograms: ReadonlySet<string> = new Set([
  "servers",
  "mcpServers",
  "inputs",
  "allowed",
  "excluded",
  "serverCommand"
])

/** opencode's `mcp` is the table itself; that of others is an object of settings. */
const opencodeServers = (mcp: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(mcp).filter(([name, entry]) => !ofOtherPrograms.has(name) && isJsonObject(entry))
  )

const enkryptServers = (config: unknown): ReadonlyArray<FoundServer> => {
  const entries = objectOf(config)["mcp_config"]
  return Array.isArray(entries)
    ? entries.map((entry: unknown) => ({ name: nameOf(entry) ?? "", entry, dialect: "enkrypt" }))
    : []
}

/** The other parts of enkryptai/secure-mcp-gateway; what stands below their names may be a secret. */
const enkryptParts = ["admin_apikey", "common_mcp_gateway_config", "plugins", "projects", "users", "apikeys"]

/** The parts of a document that belong to its servers and are not carried over, by name. */
export const leftOutParts = (input: unknown): ReadonlyArray<string> => {
  const document = objectOf(input)
  const mcp = objectOf(document["mcp"])
  const parts = isJsonObject(document["mcp_configs"])
    ? enkryptParts.filter((key) => saysSomething(document[key]))
    : []
  return [
    ...parts,
    ...["allowed", "excluded"].filter((key) => Array.isArray(mcp[key])).map((key) => `mcp.${key}`)
  ]
}
