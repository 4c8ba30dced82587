import * as Redacted from "effect/Redacted"
import { problem, type ConfigProblem } from "../problems/ConfigProblem.ts"
import type { OAuthConfigFields } from "./OAuthConfigFields.ts"

/** What a configuration may add to token requests and to the login URL: never what the protocol sets itself. */
export const requestParameterRules = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> => [
  ...additionalParameters(config),
  ...authorizeParameters(config),
  ...customHeaders(config)
]

/** Names of the token request that the protocol sets; most have a configuration key of their own. */
const protocolParameters: ReadonlySet<string> = new Set([
  "grant_type",
  "client_id",
  "client_secret",
  "client_assertion",
  "client_assertion_type",
  "scope",
  "resource",
  "audience",
  "organization",
  "code",
  "redirect_uri",
  "code_verifier",
  "refresh_token",
  "device_code",
  "assertion",
  "subject_token",
  "subject_token_type",
  "actor_token",
  "actor_token_type",
  "requested_token_type"
])

const additionalParameters = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> =>
  Object.keys(config.additionalParams)
    .filter((name) => protocolParameters.has(name))
    .map((name) => problem("additional_params", "is set by the protocol and cannot be added", name))

/** Names of the authorization request (RFC 6749 §4.1.1, RFC 9101) that would replace what the gateway sets or checks. */
const authorizationParameters: ReadonlySet<string> = new Set([
  "response_type",
  "client_id",
  "client_secret",
  "redirect_uri",
  "scope",
  "state",
  "code_challenge",
  "code_challenge_method",
  "resource",
  "audience",
  "organization",
  "request",
  "request_uri"
])

const authorizeParameters = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> =>
  Object.entries(config.authorizeParams).flatMap(([name, value]) => {
    const refuse = (message: string) => [problem("authorize_params", message, name)]
    if (authorizationParameters.has(name)) return refuse("is set by the protocol and cannot be added")
    if (name === "response_mode" && value !== "query") {
      return refuse('must be "query": the gateway reads the authorization response from the query')
    }
    return value === null && name !== "prompt"
      ? refuse("must be text, a number or a boolean; only `prompt` can be null, which sends none")
      : []
  })

const protocolHeaders: ReadonlySet<string> = new Set([
  "authorization",
  "content-type",
  "content-length",
  "host",
  "transfer-encoding",
  "connection"
])

const customHeaders = (config: OAuthConfigFields): ReadonlyArray<ConfigProblem> =>
  Object.entries(config.customHeaders).flatMap(([name, value]) => {
    if (protocolHeaders.has(name.toLowerCase())) {
      return [problem("custom_headers", "is set by the protocol and cannot be configured", name)]
    }
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) return [problem("custom_headers", "is not a header name", name)]
    if (!/^[\t\x20-\x7E]*$/.test(Redacted.value(value))) {
      return [problem("custom_headers", "has characters that cannot stand in a header", name)]
    }
    return []
  })

/** The rule for a `user_agent`, which is sent as it is (RFC 9110 §10.1.5); undefined if the value is valid. */
export const userAgentProblem = (value: string): string | undefined =>
  /^[\x21-\x7E](?:[\x20-\x7E]*[\x21-\x7E])?$/.test(value)
    ? undefined
    : 'must be printable ASCII that neither begins nor ends with a space, as in "my-gateway/1.0"'
