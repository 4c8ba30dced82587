import { describeConnectionFailure, isLoopbackHost, proxyFor, type Proxies } from "@secure-mcp/oauth-core"
import { AddressLookup } from "@secure-mcp/oauth-flows"
import { networkZone } from "@secure-mcp/oauth-flows/internal"
import * as Effect from "effect/Effect"
import { failed, ok, type Step, warning } from "./Step.ts"

/** Where the host of the MCP server is. */
export const addressStep = Effect.fnUntraced(function* (
  url: string,
  proxies: Proxies | undefined
): Effect.fn.Return<Step> {
  const host = new URL(url).hostname.replace(/\.$/, "")
  if (networkZone(host) !== undefined || isLoopbackHost(host)) return found(host, [host])
  if (proxyFor(url, proxies) !== undefined)
    return ok("address", `${host} is looked up by the proxy`, { host, addresses: [] })
  const { lookup } = yield* AddressLookup
  return yield* lookup(host).pipe(
    Effect.match({
      onFailure: ({ code }) =>
        failed(
          "address",
          `${host}: ${describeConnectionFailure({ code }, { https: false, useMtls: false }).problem}`,
          "Check the host in `config.url`, and the name servers of this machine"
        ),
      onSuccess: (addresses) => found(host, addresses)
    })
  )
})

const found = (host: string, addresses: ReadonlyArray<string>): Step => {
  const places = addresses.map((address) => ({ address, zone: zoneOf(address) }))
  const facts = { host, addresses: places }
  const isOddOne = places.find(({ zone }) => zone === "metadata" || zone === "reserved")
  const message = `${host} is ${[...new Set(places.map(({ address, zone }) => `${address} (${zone})`))].join(", ")}`
  return isOddOne === undefined
    ? ok("address", message, facts)
    : warning("address", message, "No MCP server should be at such an address: check the host", facts)
}

const zoneOf = (address: string) =>
  networkZone(address) ?? (isLoopbackHost(address) ? "loopback" : "reserved")
