import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"

/** What kind of place an IP address names. */
export type NetworkZone = "public" | "loopback" | "private" | "link-local" | "metadata" | "reserved"

/** The zone of an IP address, written as in a URL or not; undefined for anything else. */
export const networkZone = (address: string): NetworkZone | undefined =>
  NetAddress.ipFromString(address.replace(/^\[(.*)\]$/, "$1").replace(/%.*$/, "")).pipe(
    Result.map(zoneOf),
    Result.getOrUndefined
  )

const zoneOf = (address: NetAddress.IpAddress): NetworkZone =>
  zones.find(({ networks }) => networks.some(IpNetwork.contains(address)))?.zone ??
  (NetAddress.isIpv6Address(address) ? zoneOfEmbedded(address) : undefined) ??
  (globalUnicast.some(IpNetwork.contains(address)) ? "public" : "reserved")

/** An address that leads to an IPv4 address is judged by that one. */
const zoneOfEmbedded = (address: NetAddress.Ipv6Address): NetworkZone | undefined => {
  const found = embeddings.find(({ network }) => IpNetwork.contains(network, address))
  if (found === undefined) return undefined
  const octets = NetAddress.ipv6ToOctets(address).slice(found.at, found.at + 4)
  const zone = zoneOf(NetAddress.ipv4FromBytesUnsafe(Uint8Array.from(octets)))
  return zone === "public" && !found.isRouted ? "reserved" : zone
}

const networksOf = (...prefixes: ReadonlyArray<string>) => prefixes.map(IpNetwork.fromStringUnsafe)

/**
 * What is global unicast (RFC 4291 §2.4, IANA IPv6 Address Space), as far as no special purpose in `zones` takes it
 * away. Anything else is reserved.
 */
const globalUnicast = networksOf("0.0.0.0/0", "2000::/3")

/**
 * Where clouds keep the credentials of their machines, and the IANA special-purpose registries (RFC 6890 and its
 * updates): what is not globally reachable. The first match counts.
 */
const zones: ReadonlyArray<{
  readonly zone: NetworkZone
  readonly networks: ReadonlyArray<IpNetwork.IpNetwork>
}> = [
  {
    zone: "metadata",
    networks: networksOf(
      "169.254.169.254/32",
      "169.254.170.2/32",
      "169.254.170.23/32",
      "100.100.100.200/32",
      "168.63.129.16/32",
      "fd00:ec2::/32",
      "fd20:ce::254/128"
    )
  },
  { zone: "loopback", networks: networksOf("127.0.0.0/8", "::1/128") },
  { zone: "link-local", networks: networksOf("169.254.0.0/16", "fe80::/10") },
  {
    zone: "private",
    networks: networksOf(
      "10.0.0.0/8",
      "172.16.0.0/12",
      "192.168.0.0/16",
      "100.64.0.0/10",
      "fc00::/7",
      "fec0::/10"
    )
  },
  {
    zone: "reserved",
    networks: networksOf(
      "0.0.0.0/8",
      "192.0.0.0/24",
      "192.0.2.0/24",
      "192.88.99.0/24",
      "198.18.0.0/15",
      "198.51.100.0/24",
      "203.0.113.0/24",
      "224.0.0.0/4",
      "240.0.0.0/4",
      // IETF protocol assignments: Teredo, benchmarking, AMT, ORCHID, drone identifiers. None is a server's address.
      "2001::/23",
      "2001:db8::/32",
      "3fff::/20"
    )
  }
]

const embedding = (prefix: string, at: number, isRouted: boolean) => ({
  network: IpNetwork.fromStringUnsafe(prefix),
  /** The first octet of the IPv4 address. */
  at,
  isRouted
})

/** IPv6 prefixes whose addresses hold an IPv4 address. */
const embeddings = [
  // IPv4-mapped (RFC 4291 §2.5.5.2)
  embedding("::ffff:0:0/96", 12, true),
  // NAT64 (RFC 6052 §2.1)
  embedding("64:ff9b::/96", 12, true),
  // 6to4 (RFC 3056 §2)
  embedding("2002::/16", 2, true),
  // IPv4-compatible (RFC 4291 §2.5.5.1), deprecated
  embedding("::/96", 12, false)
]
