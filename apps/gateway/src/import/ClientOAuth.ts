import type { Reading } from "./ForeignServer.ts"
import { isJsonObject, objectOf, saysSomething, textOf, type JsonObject } from "./Json.ts"
import type { RemoteServer } from "./RemoteServer.ts"

/** The names of clients for keys of the gateway, all in one spelling. */
const gatewayKeys: Readonly<Record<string, string>> = {
  clientid: "client_id",
  clientsecret: "client_secret",
  scope: "scope",
  scopes: "scope",
  authorizationurl: "authorization_url",
  authorizationendpoint: "authorization_url",
  authurl: "authorization_url",
  tokenurl: "token_url",
  tokenendpoint: "token_url",
  redirecturi: "redirect_uri",
  redirecturl: "redirect_uri",
  issuer: "issuer",
  resource: "resource",
  audience: "audience",
  clientname: "client_name",
  clientmetadataurl: "client_metadata_url",
  tokenendpointauthmethod: "token_endpoint_auth_method"
}

/** What a client's entry says about logging in. */
export const clientOAuth = (entry: JsonObject, reading: Reading): RemoteServer["oauth"] => {
  const blocks = [
    ["oauth", entry["oauth"]],
    ["auth", entry["auth"]]
  ] as const
  const keys: Record<string, unknown> = {}
  let isOff = false
  for (const [name, block] of blocks) {
    if (block === false || objectOf(block)["enabled"] === false || block === "none") isOff = true
    else if (isJsonObject(block)) Object.assign(keys, blockKeys(name, block, reading))
    else if (saysSomething(block) && block !== true && block !== "oauth")
      reading.remark(`\`${name}\` is left out`)
  }
  return isOff ? "off" : { keys: bothEndpoints(keys, reading) }
}

const blockKeys = (block: string, values: JsonObject, { remark, text }: Reading): JsonObject => {
  const keys: Record<string, string> = {}
  for (const [name, value] of Object.entries(values)) {
    if (!saysSomething(value) || name === "enabled") continue
    const spelling = name.toLowerCase().replaceAll(/[^a-z]/g, "")
    const key = gatewayKeys[spelling]
    const given = Array.isArray(value) ? value.map(textOf).join(" ") : textOf(value)
    if (spelling === "callbackport" && given !== undefined) {
      keys["redirect_uri"] ??= `http://localhost:${given}/callback`
    } else if (spelling === "authservermetadataurl" && given !== undefined && issuerOf(given) !== undefined) {
      keys["issuer"] = text.plain(name, issuerOf(given) ?? "")
    } else if (key !== undefined && given !== undefined && given !== "") {
      keys[key] = key === "client_secret" ? text.secret(key, given) : text.plain(key, given)
    } else if (!(spelling === "type" && /^oauth/i.test(given ?? "")))
      remark(`\`${block}.${name}\` is left out`)
  }
  return keys
}

/** The issuer whose metadata stands at a well-known place (RFC 8414 §3, OpenID Connect Discovery §4). */
const issuerOf = (url: string): string | undefined => {
  const [, issuer] = /^([^?#]+?)\/\.well-known\/openid-configuration$/.exec(url) ?? []
  if (issuer !== undefined) return issuer
  const [, origin, path = ""] =
    /^(https?:\/\/[^/?#]+)\/\.well-known\/(?:oauth-authorization-server|openid-configuration)(\/[^?#]*)?$/.exec(
      url
    ) ?? []
  return origin === undefined ? undefined : origin + path
}

/** One endpoint alone says nothing: the other would be another server's. */
const bothEndpoints = (keys: JsonObject, { remark }: Reading): JsonObject => {
  const { authorization_url, token_url, ...rest } = keys
  if ((authorization_url === undefined) === (token_url === undefined)) return keys
  remark(
    `\`${authorization_url === undefined ? "tokenUrl" : "authorizationUrl"}\` without the other endpoint is left out: the gateway finds both`
  )
  return rest
}
