import { leftOut, type LeftOut, type NewServer, type Reading } from "./ForeignServer.ts"
import type { JsonObject } from "./Json.ts"
import { isSecret } from "./text/SecretNames.ts"

export interface RemoteHeader {
  readonly name: string
  readonly value: string
  readonly isSecret?: boolean | undefined
  /** What the variable of its secret may be called. */
  readonly names?: ReadonlyArray<string> | undefined
}

/** A server at a URL, as a client knows it. */
export interface RemoteServer {
  readonly url: string
  readonly headers: ReadonlyArray<RemoteHeader>
  /** What says that the server speaks HTTP+SSE. */
  readonly isSse: string | undefined
  /**
   * `off`: the client does not log in. `keys`: what is known of the client, by the names of the gateway, without
   * secrets. `given`: another part of the entry says all about tokens.
   */
  readonly oauth: "off" | { readonly keys: JsonObject } | { readonly given: JsonObject }
  readonly origins?: Readonly<Record<string, string>>
}

/** The entry for a server at a URL. One without credentials is one that its client logs in to when a 401 says so. */
export const remoteServer = (remote: RemoteServer, reading: Reading): NewServer | LeftOut => {
  const { remark, text } = reading
  const address = readUrl(remote.url.trim(), reading)
  if ("leftOut" in address) return address
  const { authorization, url } = address
  const sse = remote.isSse ?? (/\/sse\/?(?:\?|$)/.test(url) ? `a URL that ends with /sse` : undefined)
  if (sse !== undefined) {
    remark(
      `HTTP+SSE (${sse}) is the transport of MCP 2024-11-05. If the server has a URL for Streamable HTTP, use that, without \`transport\``
    )
  }
  const headers = new Map<string, readonly [name: string, value: string]>()
  for (const { isSecret: certain, name, names, value } of remote.headers) {
    const nameOfSecret = /^(?:proxy-)?authorization$/i.test(name)
      ? /^\s*Basic\s/i.test(value)
        ? "credentials"
        : "token"
      : name
    const hidden = text.under(nameOfSecret, value, { names, isSecret: certain ?? isSecret(name, value) })
    headers.set(name.toLowerCase(), [name, hidden])
  }
  if (authorization !== undefined && !headers.has("authorization")) {
    headers.set("authorization", ["Authorization", authorization])
  }
  const hasCredentials =
    address.hasCredentials ||
    remote.headers.some(({ isSecret: certain, name, value }) => certain ?? isSecret(name, value)) ||
    headers.has("authorization")
  if (remote.oauth !== "off" && "given" in remote.oauth && headers.delete("authorization")) {
    remark("the header Authorization is left out: `oauth` sets it")
  }
  const config = {
    url,
    ...(sse === undefined ? {} : { transport: "sse" }),
    ...(headers.size === 0 ? {} : { headers: Object.fromEntries(headers.values()) })
  }
  return {
    config,
    oauth: oauthOf(remote, { url, hasCredentials, hasAuthorization: headers.has("authorization") }, reading),
    origins: remote.origins ?? {}
  }
}

const oauthOf = (
  { oauth, origins = {} }: RemoteServer,
  server: { readonly url: string; readonly hasCredentials: boolean; readonly hasAuthorization: boolean },
  { remark }: Reading
): JsonObject | undefined => {
  if (oauth === "off") return undefined
  if ("given" in oauth) {
    for (const name of Object.keys(oauth.given))
      remark(`${origins[name] ?? `\`${name}\``} is left out: \`oauth\` says it`)
    return undefined
  }
  const names = Object.keys(oauth.keys)
  if (server.hasAuthorization || (server.hasCredentials && names.length === 0)) {
    for (const name of names)
      remark(
        `${origins[name] ?? `\`${name}\``} is left out: the header Authorization is used instead of a login`
      )
    return undefined
  }
  return {
    enabled: true,
    grant_type: "authorization_code",
    ...(isPlainHttp(server.url, oauth.keys) ? { enforce_https: false } : {}),
    ...oauth.keys
  }
}

const isPlainHttp = (url: string, keys: JsonObject): boolean =>
  [url, keys["authorization_url"], keys["token_url"], keys["issuer"]].some(
    (one) => typeof one === "string" && /^http:/i.test(one)
  )

interface Address {
  readonly url: string
  readonly authorization: string | undefined
  readonly hasCredentials: boolean
}

const readUrl = (url: string, { remark, text }: Reading): Address | LeftOut => {
  if (url === "") return leftOut("its URL is empty")
  if (/^wss?:/i.test(url)) return leftOut("the gateway speaks no WebSocket (ws:, wss:)")
  if (/^[a-z][a-z\d+.-]*:/i.test(url) && !/^https?:/i.test(url))
    return leftOut("its URL is neither http nor https")
  const [, scheme = "", userInfo, rest = ""] = /^(https?:\/\/)(?:([^/?#]*)@)?([\s\S]*)$/i.exec(url) ?? []
  const withoutUser = scheme === "" ? url : scheme + rest
  const withoutFragment = withoutUser.replace(/#.*$/s, "")
  if (withoutFragment !== withoutUser) remark("the fragment of the URL is left out")
  const safe = text.plain("url", withoutFragment)
  const hasCredentials = /[?&][^=]*=[^&]*\$\{env:/.test(safe)
  if (userInfo === undefined) return { url: safe, authorization: undefined, hasCredentials }
  if (/[${}%<>]/.test(userInfo.replaceAll(/%[\dA-F]{2}/gi, ""))) {
    remark("user name and password of the URL are left out: write them as a header Authorization: Basic")
    return { url: safe, authorization: undefined, hasCredentials: true }
  }
  const [user = "", password = ""] = userInfo.split(/:(.*)/s)
  const credentials = Buffer.from(`${decoded(user)}:${decoded(password)}`).toString("base64")
  remark(
    "user name and password of the URL became a header Authorization, whose variable holds their Base64 form"
  )
  return {
    url: safe,
    authorization: text.under("credentials", `Basic ${credentials}`, { isSecret: true }),
    hasCredentials
  }
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
