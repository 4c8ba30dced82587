import * as Context from "effect/Context"
import type { CallersSettings } from "../config/CallersSettings.ts"
import type { GatewaySettings } from "../config/GatewaySettings.ts"

/** The URLs under which clients know what the gateway offers, and the metadata of each (RFC 9728). */
export interface PublicResources {
  /** What a path of the gateway belongs to: the URL that a token for it must be for. */
  readonly resourceOf: (path: string) => string
  /** Where the metadata of that is. */
  readonly metadataUrlOf: (path: string) => string
  /**
   * The document at a path (RFC 9728 §2); undefined where there is none.
   *
   * @param hasServer whether the gateway has a server of this name
   */
  readonly documentAt: (path: string, hasServer: (serverName: string) => boolean) => unknown
}

/** Those of this gateway, for its routes; undefined if no issuer's tokens are accepted. */
export const CurrentResources = Context.Reference<PublicResources | undefined>(
  "@secure-mcp/gateway/CurrentResources",
  { defaultValue: () => undefined }
)

const wellKnown = "/.well-known/oauth-protected-resource"

/** The route of what `documentAt` answers; that of the root is part of it. */
export const metadataRoute = `${wellKnown}/*` as const

/** Undefined without issuers of tokens: then there is no authorization server to name, and clients must not look for one. */
export const makePublicResources = ({
  callers,
  publicUrl
}: Pick<GatewaySettings, "callers" | "publicUrl">): PublicResources | undefined => {
  if (callers === undefined || publicUrl === undefined || issuersOf(callers).length === 0) return undefined
  const base = publicUrl.replace(/\/+$/, "")
  const { origin, pathname } = new URL(base)
  const prefix = pathname === "/" ? "" : pathname
  const shared = {
    authorization_servers: issuersOf(callers),
    scopes_supported: scopesOf(callers),
    bearer_methods_supported: ["header"]
  }
  return {
    resourceOf: (path) => base + (serverPathOf(path) ?? ""),
    metadataUrlOf: (path) => origin + wellKnown + prefix + (serverPathOf(path) ?? ""),
    documentAt: (path, hasServer) => {
      if (!path.startsWith(wellKnown)) return undefined
      const rest = path.slice(wellKnown.length)
      // A reverse proxy may have taken the path of the public URL away.
      const own = prefix !== "" && rest.startsWith(prefix) ? rest.slice(prefix.length) : rest
      if (own === "" || own === "/") return { resource: base, ...shared }
      const serverName = serverNameOf(own)
      return serverName !== undefined && own === serverPathOf(own) && hasServer(serverName)
        ? { resource: base + own, ...shared, resource_name: serverName }
        : undefined
    }
  }
}

/** Whether a path is for everybody: clients read metadata before they have a token. */
export const isMetadataPath = (path: string): boolean =>
  path === wellKnown || path.startsWith(`${wellKnown}/`)

/** The server that a path belongs to. */
export const serverNameOf = (path: string): string | undefined => serverPath.exec(path)?.[1]

const serverPathOf = (path: string): string | undefined => {
  const name = serverNameOf(path)
  return name === undefined ? undefined : `/servers/${name}/mcp`
}

const serverPath = /^\/servers\/([A-Za-z0-9._-]+)\/mcp$/

const issuersOf = ({ introspection, jwt }: CallersSettings): ReadonlyArray<string> => [
  ...new Set([...jwt, ...introspection].map(({ issuer }) => issuer))
]

const scopesOf = ({ introspection, jwt }: CallersSettings): ReadonlyArray<string> => [
  ...new Set([...jwt, ...introspection].flatMap(({ requiredScopes }) => requiredScopes))
]
