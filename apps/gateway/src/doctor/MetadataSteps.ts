import type { AccessTokenRequest, OAuthErrorReason } from "@secure-mcp/oauth-core"
import type { Inspection, TriedPlace } from "@secure-mcp/oauth-flows/internal"
import * as Result from "effect/Result"
import { failed, failedFor, ok, shown, type Step, type StepName, warning } from "./Step.ts"

/** Where the authorization server was looked for, what it is called, and what it would be asked for. */
export const metadataSteps = (request: AccessTokenRequest, inspection: Inspection): ReadonlyArray<Step> => {
  const { places, target } = inspection
  const search: Search = {
    resources: places.filter(({ kind }) => kind === "protected resource"),
    servers: places.filter(({ kind }) => kind === "authorization server"),
    reason: Result.isFailure(target) ? target.failure : undefined
  }
  return [
    ...resourceMetadataSteps(request, search),
    ...serverMetadataSteps(request, search),
    ...targetSteps(request, inspection)
  ]
}

interface Search {
  /** Where the metadata of the MCP server was looked for. */
  readonly resources: ReadonlyArray<TriedPlace>
  /** Where the metadata of the authorization server was looked for. */
  readonly servers: ReadonlyArray<TriedPlace>
  /** Why the search ended without a result. */
  readonly reason: OAuthErrorReason | undefined
}

const isFound = (places: ReadonlyArray<TriedPlace>): boolean => places.some(({ isUsed }) => isUsed)

const resourceMetadataSteps = (
  { config }: AccessTokenRequest,
  { reason, resources: places, servers }: Search
): ReadonlyArray<Step> => {
  const name = "resource_metadata"
  if (config.tokenUrl !== undefined) return []
  if (config.issuer !== undefined) return [ok(name, "not looked for: `issuer` is configured")]
  if (places.length === 0) return []
  if (reason !== undefined && servers.length === 0) {
    return [{ ...failedFor(name, reason, noResourceAdvice), places }]
  }
  if (isFound(places)) return [foundStep(name, places)]
  return [
    reason === undefined
      ? {
          ...warning(
            name,
            "the MCP server has none: its own origin is used as authorization server, as in MCP 2025-03-26",
            "Configure `issuer`, if another authorization server is meant"
          ),
          places
        }
      : {
          ...failed(name, "the MCP server has none that can be used", noResourceAdvice),
          places
        }
  ]
}

const noResourceAdvice =
  "Configure `issuer`, the authorization server of this MCP server; or `resource`, if the document of another one is meant"

const serverMetadataSteps = (
  { config }: AccessTokenRequest,
  { reason, resources, servers: places }: Search
): ReadonlyArray<Step> => {
  const name = "authorization_server_metadata"
  if (config.tokenUrl !== undefined) return [ok(name, "not looked for: `token_url` is configured")]
  if (isFound(places)) return [foundStep(name, places)]
  if (reason === undefined) {
    return [
      {
        ...warning(
          name,
          "the server has none: the default endpoints /authorize, /token and /register are used (MCP 2025-03-26)",
          "Configure `issuer`, or `authorization_url` and `token_url`, if there are others"
        ),
        places
      }
    ]
  }
  return places.length === 0 && resources.length > 0
    ? []
    : [
        {
          ...failedFor(name, reason, "Check `issuer`, or configure `authorization_url` and `token_url`"),
          places
        }
      ]
}

/** A place that is out of order is told, although another one has the document. */
const foundStep = (name: StepName, places: ReadonlyArray<TriedPlace>): Step => {
  const used = places.find(({ isUsed }) => isUsed)
  const broken = places.find(({ isUsed, status = 0 }) => !isUsed && (status === 0 || status >= 500))
  const message = `found at ${used?.url}`
  const step =
    broken === undefined
      ? ok(name, message)
      : warning(
          name,
          `${message}, but not at ${broken.url} (${broken.problem})`,
          "Nothing has to be done; tell the operator of the server"
        )
  return { ...step, places }
}

const targetSteps = (request: AccessTokenRequest, { scope, target }: Inspection): ReadonlyArray<Step> => {
  const found = Result.getOrUndefined(target)
  if (found === undefined) return []
  return [
    issuerStep(found.issuer, found.metadata?.issuer),
    resourceStep(request, found.protectedResource?.resource, found.resource),
    scopeStep(scope, found.metadata?.scopesSupported)
  ]
}

const issuerStep = (asked: string | undefined, own: string | undefined): Step => {
  const facts = {
    expected: asked === undefined ? null : shown(asked),
    sent: own === undefined ? null : shown(own)
  }
  if (asked === undefined) return ok("issuer", "none: the endpoints are configured", facts)
  if (own === undefined || own === asked) return ok("issuer", shown(asked), facts)
  return warning(
    "issuer",
    `${shown(asked)} was asked, its metadata calls it ${shown(own)}`,
    "Nothing has to be done if both are one server; else take out `issuer_mismatch`",
    facts
  )
}

const resourceStep = (
  { config, resourceUrl }: AccessTokenRequest,
  own: string | undefined,
  sent: string | undefined
): Step => {
  const facts = {
    expected: resourceUrl === undefined ? null : shown(resourceUrl),
    metadata: own === undefined ? null : shown(own),
    sent: sent === undefined ? null : shown(sent)
  }
  if (config.resource === false) {
    return warning(
      "resource",
      "not sent (`resource` is false): the token may be good for other servers, too",
      "Leave it so only if the authorization server refuses `resource`",
      facts
    )
  }
  return ok("resource", sent === undefined ? "not sent" : `${shown(sent)} is sent`, facts)
}

const scopeStep = (scope: string | undefined, supported: ReadonlyArray<string> | undefined): Step => {
  const facts = { sent: scope ?? null, supported: supported ?? null }
  if (scope === undefined) return ok("scope", "not sent: the server decides", facts)
  const unknown =
    supported === undefined ? [] : scope.split(/[\s,]+/).filter((name) => !supported.includes(name))
  return unknown.length === 0
    ? ok("scope", scope, facts)
    : warning(
        "scope",
        `${scope}; \`scopes_supported\` of the authorization server lacks ${unknown.join(" ")}`,
        "Nothing has to be done unless the login is refused with invalid_scope: then change `scope`",
        facts
      )
}
