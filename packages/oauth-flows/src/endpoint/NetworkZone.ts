import { BlockList, isIP } from "node:net"

/** What kind of place an IP address names. */
export type NetworkZone = "public" | "loopback" | "private" | "link-local" | "metadata" | "reserved"

/** The zone of an IP address, written as in a URL or not; undefined for anything else. */
export const networkZone = (address: string): NetworkZone | undefined => {
  const bare = address.replace(/^\[(.*)\]$/, "$1").replace(/%.*$/, "")
  const family = isIP(bare)
  if (family === 0) return undefined
  if (family === 4) return zoneOf(bare, "ipv4")
  const embedded = embeddedIpv4(bare)
  return embedded === undefined ? zoneOf(bare, "ipv6") : zoneOf(embedded, "ipv4")
}

const zoneOf = (address: string, family: "ipv4" | "ipv6"): NetworkZone =>
  zones.find(({ addresses }) => addresses.check(address, family))?.zone ?? "public"

const zone = (
  zone: NetworkZone,
  ...subnets: ReadonlyArray<readonly [network: string, prefix: number]>
): { readonly zone: NetworkZone; readonly addresses: BlockList } => {
  const addresses = new BlockList()
  for (const [network, prefix] of subnets) {
    addresses.addSubnet(network, prefix, network.includes(":") ? "ipv6" : "ipv4")
  }
  return { zone, addresses }
}

/** The IANA special-purpose registries (RFC 6890), and where clouds keep their machines' credentials. */
const zones = [
  zone(
    "metadata",
    ["169.254.169.254", 32],
    ["169.254.170.2", 32],
    ["169.254.170.23", 32],
    ["100.100.100.200", 32],
    ["168.63.129.16", 32],
    ["fd00:ec2::", 32],
    ["fd20:ce::254", 128]
  ),
  zone("loopback", ["127.0.0.0", 8], ["::1", 128]),
  zone("link-local", ["169.254.0.0", 16], ["fe80::", 10]),
  zone(
    "private",
    ["10.0.0.0", 8],
    ["172.16.0.0", 12],
    ["192.168.0.0", 16],
    ["100.64.0.0", 10],
    ["fc00::", 7],
    ["fec0::", 10]
  ),
  zone(
    "reserved",
    ["0.0.0.0", 8],
    ["192.0.0.0", 24],
    ["192.0.2.0", 24],
    ["198.18.0.0", 15],
    ["198.51.100.0", 24],
    ["203.0.113.0", 24],
    ["224.0.0.0", 4],
    ["240.0.0.0", 4],
    ["::", 128],
    ["100::", 64],
    ["2001:db8::", 32],
    ["ff00::", 8]
  )
]

/** IPv4-mapped, IPv4-compatible, NAT64 (RFC 6052) and 6to4 (RFC 3056) addresses lead to an IPv4 address. */
const embeddedIpv4 = (address: string): string | undefined => {
  const words = wordsOf(address)
  const prefix = words.slice(0, 6).join(":")
  const [sixToFour, high, low] = words
  if (sixToFour === 0x2002 && high !== undefined && low !== undefined) return dotted(high, low)
  const [secondLast, last] = words.slice(6)
  if (secondLast === undefined || last === undefined) return undefined
  const isMapped = prefix === "0:0:0:0:0:65535" || prefix === "100:65435:0:0:0:0"
  const isCompatible = prefix === "0:0:0:0:0:0" && (secondLast !== 0 || last > 1)
  return isMapped || isCompatible ? dotted(secondLast, last) : undefined
}

const dotted = (high: number, low: number): string => [high >> 8, high & 255, low >> 8, low & 255].join(".")

/** The eight words of an IPv6 address; the URL parser writes every spelling in the one of RFC 5952. */
const wordsOf = (address: string): ReadonlyArray<number> => {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head = "", tail] = canonical.split("::")
  const before = head === "" ? [] : head.split(":")
  const after = tail === undefined || tail === "" ? [] : tail.split(":")
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0")
  return [...before, ...zeros, ...after].map((word) => Number.parseInt(word, 16))
}
