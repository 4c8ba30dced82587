import * as IpInterface from "effect/net/IpInterface"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"

/**
 * Whether a list in the form of the variable NO_PROXY names the host of a URL. Its entries are separated by commas or
 * spaces: `example.com` and `.example.com` (the host and those below it), `*.example.com` (those below it), an address,
 * a network (`10.0.0.0/8`), each with or without a port (`example.com:8443`, `[2001:db8::1]:8443`), and `*` (all).
 *
 * Names are not looked up: a network is compared with hosts that are written as addresses.
 */
export const isWithoutProxy = (url: URL, noProxy: string): boolean => {
  const target = targetOf(url)
  return noProxy
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => names(entry, target))
}

interface Target {
  readonly host: string
  readonly address: NetAddress.IpAddress | undefined
  readonly port: string
}

const targetOf = ({ hostname, port, protocol }: URL): Target => {
  const host = hostname.replace(/\.$/, "")
  return { host, address: addressOf(host), port: port === "" ? (protocol === "https:" ? "443" : "80") : port }
}

const names = (entry: string, target: Target): boolean => {
  const { host, port } = split(entry)
  if (port !== undefined && Number(port) !== Number(target.port)) return false
  if (host === "*") return true
  if (host.includes("/")) return isInNetwork(host, target)
  const name = canonical(host.replace(/^\*?\./, ""))
  if (target.host === name) return !host.startsWith("*")
  return target.address === undefined && target.host.endsWith(`.${name}`)
}

/** An IPv6 address has brackets if a port follows, and may have none otherwise. */
const split = (entry: string): { readonly host: string; readonly port?: string | undefined } => {
  const found =
    /^(?<host>\[[^\]]+\])(?::(?<port>\d+))?$/.exec(entry) ?? /^(?<host>[^:]+)(?::(?<port>\d+))?$/.exec(entry)
  const { host = entry, port } = found?.groups ?? {}
  return { host, port }
}

/** As it stands in a parsed URL: lower case, punycode, and one way to write an address. */
const canonical = (host: string): string => {
  const bracketed = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host
  return (URL.parse(`http://${bracketed}`)?.hostname ?? host).replace(/\.$/, "")
}

const isInNetwork = (network: string, { address }: Target): boolean =>
  address !== undefined &&
  Result.match(IpInterface.fromString(network.replace(/^\[(.*)\]$/, "$1")), {
    onFailure: () => false,
    onSuccess: (named) => IpNetwork.contains(IpNetwork.fromInterface(named), address)
  })

const addressOf = (host: string): NetAddress.IpAddress | undefined =>
  Result.getOrUndefined(NetAddress.ipFromString(host.replace(/^\[(.*)\]$/, "$1")))
