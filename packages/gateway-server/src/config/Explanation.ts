import { type OAuthConfig, proxyFor } from "@secure-mcp/oauth-core"
import { type Preset, presetsIn, proxyAddress, providerProfiles } from "@secure-mcp/oauth-core/internal"
import type { ServerEntry } from "@secure-mcp/transport-injection"

/**
 * What applies to a server without standing in its entry: what its `provider` sets, with the source of each line, and the
 * proxy. Shows nothing that the entry says, nor the user name and password of a proxy.
 */
export const explainServer = (entry: ServerEntry): string =>
  [`${entry.serverName}:`, ...explainProvider(entry.oauth), ...explainProxy(entry)].join("\n")

const explainProvider = (config: OAuthConfig | undefined): ReadonlyArray<string> => {
  if (config?.provider === undefined) return ["  no `provider`"]
  const { needs, title } = providerProfiles[config.provider]
  const { applied, others } = presetsIn(config, config.provider)
  const sets = [
    ...applied.map(
      (preset) =>
        `  sets ${nameOf(preset)} to ${JSON.stringify(preset.value)}: ${preset.effect}\n    ${preset.source}`
    ),
    ...others.map(
      (preset) => `  does not set ${nameOf(preset)}: the entry says otherwise\n    ${preset.source}`
    )
  ]
  return [
    `  \`provider\` "${config.provider}" (${title})${sets.length === 0 ? " sets nothing" : ""}`,
    ...sets,
    ...needs.map(({ source, what }) => `  ${title} ${what}\n    ${source}`)
  ]
}

const nameOf = ({ key, member }: Preset): string => (member === undefined ? key : `${key}.${member}`)

const explainProxy = (entry: ServerEntry): ReadonlyArray<string> => {
  if (entry._tag !== "Http") return []
  const proxy = proxyFor(entry.url, entry.proxies)
  return [
    proxy === undefined ? "  is reached without a proxy" : `  is reached through ${proxyAddress(proxy)}`
  ]
}
