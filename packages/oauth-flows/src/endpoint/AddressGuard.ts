import {
  AddressLookup,
  ConnectionFailed,
  describeConnectionFailure,
  DiscoveryFailed,
  isLoopbackHost
} from "@secure-mcp/oauth-core"
import type { AddressRule, GrantRequest } from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { type Endpoint, withoutQuery } from "./Endpoint.ts"
import { networkZone, type NetworkZone } from "./NetworkZone.ts"

/**
 * Prevents server-side request forgery: a discovered URL may lead to a loopback, private, link-local or reserved
 * address only if the configured server itself is in the same zone, and never to a cloud's metadata service.
 *
 * A name is looked up before the request, for an error that says what is wrong, and again by the connection. An
 * attacker's DNS could give another answer then, so the connection gets the rule that it has to keep.
 *
 * A host that is reached through a proxy is looked up there and not here: then only a host that is written as an address
 * can be refused, and what the proxy reaches is for the proxy to decide.
 */
export class AddressGuard extends Context.Service<
  AddressGuard,
  {
    /**
     * Fails for an endpoint that must not get a request. A configured one always may. Gives the rule for the
     * addresses of the connection; undefined if it may lead anywhere.
     *
     * @param usesProxy whether a request to this URL goes through a proxy; default: none does
     */
    readonly check: (
      endpoint: Endpoint,
      request: GrantRequest,
      usesProxy?: (url: string) => boolean
    ) => Effect.Effect<AddressRule | undefined, DiscoveryFailed | ConnectionFailed>
  }
>()("@secure-mcp/oauth-flows/AddressGuard") {
  static readonly layer: Layer.Layer<AddressGuard> = Layer.effect(
    AddressGuard,
    Effect.map(AddressLookup, ({ lookup }) => ({
      check: (endpoint: Endpoint, request: GrantRequest, usesProxy: (url: string) => boolean = () => false) =>
        endpoint.discovered ? check(endpoint, request, { lookup, usesProxy }) : Effect.undefined
    }))
  )
}

interface Network {
  readonly lookup: (typeof AddressLookup)["Service"]["lookup"]
  readonly usesProxy: (url: string) => boolean
}

const check = Effect.fn("AddressGuard.check")(function* (
  endpoint: Endpoint,
  request: GrantRequest,
  network: Network
): Effect.fn.Return<AddressRule | undefined, DiscoveryFailed | ConnectionFailed> {
  const host = hostOf(endpoint.url)
  const configured = configuredUrls(request)
  if (host === undefined || configured.some((url) => hostOf(url) === host)) return undefined
  const zones = yield* Effect.mapError(zonesOf(endpoint.url, network), unresolved(endpoint))
  const suspicious = zones.filter((zone) => zone !== "public")
  if (suspicious.length === 0) return ruleOf(["public"])
  const lookups = yield* Effect.forEach(configured, (url) => Effect.result(zonesOf(url, network)))
  const allowed = new Set(lookups.flatMap((found) => Result.getOrElse(found, () => [])))
  allowed.delete("metadata")
  const refused = suspicious.find((zone) => !allowed.has(zone))
  if (refused === undefined) return ruleOf(["public", ...allowed])
  // Without the addresses of every configured host, a refusal could be wrong, and it would be final.
  const failed = lookups.find(Result.isFailure)
  return refused === "metadata" || failed === undefined
    ? yield* refusal(endpoint, refused)
    : yield* unresolved(endpoint)(failed.failure)
})

const ruleOf = (zones: ReadonlyArray<NetworkZone>): AddressRule => {
  const allowed = new Set(zones)
  return {
    id: [...allowed].toSorted().join(),
    allows: (address) => allowed.has(networkZone(address) ?? "reserved")
  }
}

const hostOf = (url: string): string | undefined => URL.parse(url)?.hostname.replace(/\.$/, "")

/** The URLs that the configuration names. Their hosts, and the zones they are in, may be asked. */
const configuredUrls = ({ config, resourceUrl }: GrantRequest): ReadonlyArray<string> =>
  [resourceUrl, config.issuer, config.tokenUrl, config.authorizationUrl].filter((url) => url !== undefined)

/** Empty for a name that a proxy looks up. */
const zonesOf = Effect.fnUntraced(function* (url: string, { lookup, usesProxy }: Network) {
  const host = hostOf(url)
  if (host === undefined) return []
  const literal = networkZone(host)
  if (literal !== undefined) return [literal]
  if (isLoopbackHost(host)) return ["loopback" as const]
  if (usesProxy(url)) return []
  // A resolver answer that is not an IP address is treated as reserved, and so refused.
  return (yield* lookup(host)).map((address): NetworkZone => networkZone(address) ?? "reserved")
})

const unresolved =
  (endpoint: Endpoint) =>
  ({ code }: { readonly code: string }) =>
    new ConnectionFailed({ endpoint: endpoint.name, problem: lookupProblem(code), code })

/** The words of a failed connection, which fails for the same reasons. */
const lookupProblem = (code: string): string =>
  describeConnectionFailure({ code }, { https: false, useMtls: false }).problem

const refusal = (endpoint: Endpoint, zone: NetworkZone) =>
  Effect.fail(
    new DiscoveryFailed({
      url: withoutQuery(endpoint.url),
      problem: `it leads to a ${zone} address, where the configured server is not. Nothing was sent there`
    })
  )
