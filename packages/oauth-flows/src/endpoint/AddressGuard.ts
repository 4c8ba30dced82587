import { ConnectionFailed, DiscoveryFailed, isLoopbackHost } from "@secure-mcp/oauth-core"
import type { GrantRequest } from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { lookup } from "node:dns/promises"
import type { Endpoint } from "./Endpoint.ts"
import { withoutQuery } from "./DisplayUrl.ts"
import { networkZone, type NetworkZone } from "./NetworkZone.ts"

/** Port: the IP addresses a host name stands for. The system's resolver unless something else is provided. */
export const AddressLookup = Context.Reference<{
  readonly lookup: (hostname: string) => Effect.Effect<ReadonlyArray<string>, { readonly code: string }>
}>("@secure-mcp/oauth-flows/AddressLookup", {
  defaultValue: () => ({
    lookup: (hostname) =>
      Effect.tryPromise({
        try: () => lookup(hostname, { all: true }),
        catch: () => ({ code: "the host name has no address" })
      }).pipe(Effect.map((found) => found.map(({ address }) => address)))
  })
})

/**
 * Keeps a server from sending us to places that only we can reach (SSRF): a URL that was discovered may lead to a
 * loopback, private, link-local or reserved address only if the configured server itself is at an address of that
 * kind; and to a cloud's metadata service never.
 *
 * A name is looked up just before the request and again by the connection, so an attacker's DNS could answer the
 * second time otherwise. Over https, which discovered URLs are unless the configuration says that http will do, such
 * a connection ends before anything is sent, because the place it leads to has no certificate for that name.
 */
export class AddressGuard extends Context.Service<
  AddressGuard,
  {
    /** Fails for an endpoint that must not be asked. A configured one always may. */
    readonly check: (
      endpoint: Endpoint,
      request: GrantRequest
    ) => Effect.Effect<void, DiscoveryFailed | ConnectionFailed>
  }
>()("@secure-mcp/oauth-flows/AddressGuard") {
  static readonly layer: Layer.Layer<AddressGuard> = Layer.effect(
    AddressGuard,
    Effect.map(AddressLookup, ({ lookup }) => ({
      check: (endpoint: Endpoint, request: GrantRequest) =>
        endpoint.discovered ? check(endpoint, request, lookup) : Effect.void
    }))
  )
}

type Lookup = (typeof AddressLookup)["Service"]["lookup"]

const check = Effect.fn("AddressGuard.check")(function* (
  endpoint: Endpoint,
  request: GrantRequest,
  lookup: Lookup
) {
  const host = hostOf(endpoint.url)
  const configured = configuredHosts(request)
  if (host === undefined || configured.includes(host)) return
  const zones = yield* zonesOf(host, lookup).pipe(
    Effect.mapError(({ code }) => new ConnectionFailed({ endpoint: endpoint.name, problem: code, code }))
  )
  const suspicious = zones.filter((zone) => zone !== "public")
  if (suspicious.length === 0) return
  const allowed = yield* Effect.forEach(configured, (name) =>
    Effect.orElseSucceed(zonesOf(name, lookup), () => [])
  )
  const refused = suspicious.find((zone) => zone === "metadata" || !allowed.flat().includes(zone))
  if (refused !== undefined) return yield* refusal(endpoint, refused)
})

const hostOf = (url: string | undefined): string | undefined =>
  url === undefined ? undefined : URL.parse(url)?.hostname.replace(/\.$/, "")

/** Whom the configuration names: these, and what is near them, may be asked. */
const configuredHosts = ({ config, resourceUrl }: GrantRequest): ReadonlyArray<string> =>
  [resourceUrl, config.issuer, config.tokenUrl, config.authorizationUrl]
    .map(hostOf)
    .filter((host) => host !== undefined)

const zonesOf = Effect.fnUntraced(function* (host: string, lookup: Lookup) {
  const literal = networkZone(host)
  if (literal !== undefined) return [literal]
  if (isLoopbackHost(host)) return ["loopback" as const]
  // What is not an address at all is nothing to connect to.
  return (yield* lookup(host)).map((address): NetworkZone => networkZone(address) ?? "reserved")
})

const refusal = (endpoint: Endpoint, zone: NetworkZone) =>
  Effect.fail(
    new DiscoveryFailed({
      url: withoutQuery(endpoint.url),
      problem: `it leads to a ${zone} address, where the configured server is not. Nothing was sent there`
    })
  )
