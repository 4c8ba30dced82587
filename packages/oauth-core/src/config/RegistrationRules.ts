import { problem, type ConfigProblem } from "../problems/ConfigProblem.ts"
import type { OAuthConfigFields } from "./OAuthConfigFields.ts"
import { closestName } from "../problems/Suggestion.ts"

type Kind = "text" | "texts"

/** The members of a registration request that can be set or left out (RFC 7591 §2, OpenID Connect Registration §2). */
const members: Readonly<Record<string, Kind>> = {
  scope: "text",
  client_name: "text",
  client_uri: "text",
  logo_uri: "text",
  tos_uri: "text",
  policy_uri: "text",
  contacts: "texts",
  grant_types: "texts",
  response_types: "texts",
  application_type: "text",
  software_id: "text",
  software_version: "text",
  software_statement: "text"
}

/** Members that the gateway has to set itself, and the key that decides them where there is one. */
const ownMembers: ReadonlyMap<string, string> = new Map([
  ["redirect_uris", "is set by the gateway; see `redirect_uri`"],
  ["token_endpoint_auth_method", "is set by the key `token_endpoint_auth_method` of `oauth`"],
  ["jwks", "is set by the gateway; see `private_key`"],
  ["jwks_uri", "is set by the gateway; see `private_key`"],
  ["tls_client_certificate_bound_access_tokens", "is set by the gateway; see `use_mtls`"]
])

/** `registration`: each member is known, and has a value of its type or `false`. */
export const registrationRules = ({ registration }: OAuthConfigFields): ReadonlyArray<ConfigProblem> =>
  Object.entries(registration).flatMap(([name, value]) => {
    const message = memberProblem(name, value)
    return message === undefined ? [] : [problem("registration", message, name)]
  })

const memberProblem = (
  name: string,
  value: OAuthConfigFields["registration"][string]
): string | undefined => {
  const own = ownMembers.get(name)
  if (own !== undefined) return own
  const kind = Object.hasOwn(members, name) ? members[name] : undefined
  if (kind === undefined) {
    const meant = closestName(name, Object.keys(members))
    return meant === undefined ? "unknown key" : `unknown key: did you mean \`${meant}\`?`
  }
  if (value === false) return undefined
  if (kind === "texts") {
    return typeof value === "object" ? undefined : "must be a list of texts, or false to leave it out"
  }
  return typeof value === "string" && value !== "" ? undefined : "must be text, or false to leave it out"
}
