import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { networkZone } from "../../src/endpoint/NetworkZone.ts"

const zones = [
  ["8.8.8.8", "public"],
  ["172.15.255.255", "public"],
  ["172.32.0.0", "public"],
  ["100.63.255.255", "public"],
  ["100.128.0.0", "public"],
  ["2606:4700::1111", "public"],
  ["[2606:4700::1111]", "public"],
  ["127.255.255.254", "loopback"],
  ["::1", "loopback"],
  ["0:0:0:0:0:0:0:1", "loopback"],
  ["10.255.255.255", "private"],
  ["172.16.0.0", "private"],
  ["192.168.0.1", "private"],
  ["100.64.0.1", "private"],
  ["fc00::1", "private"],
  ["fdff:ffff::1", "private"],
  ["169.254.0.1", "link-local"],
  ["fe80::1%eth0", "link-local"],
  ["febf::1", "link-local"],
  ["169.254.169.254", "metadata"],
  ["100.100.100.200", "metadata"],
  ["fd00:ec2::254", "metadata"],
  ["0.0.0.0", "reserved"],
  ["224.0.0.1", "reserved"],
  ["255.255.255.255", "reserved"],
  ["::", "reserved"],
  ["ff02::1", "reserved"],
  ["::ffff:10.0.0.1", "private"],
  ["::ffff:8.8.8.8", "public"],
  ["::ffff:7f00:1", "loopback"],
  ["::127.0.0.1", "loopback"],
  ["64:ff9b::10.0.0.1", "private"],
  ["64:ff9b::808:808", "public"],
  ["2002:7f00:1::", "loopback"],
  ["2002:808:808::", "public"]
] as const

/**
 * The blocks of the IANA IPv4 and IPv6 Special-Purpose Address Registries that are not globally reachable: the first
 * and the last address of each, and the one after, where that is global unicast.
 */
const specialPurpose = [
  ["0.0.0.0/8", "0.0.0.0", "0.255.255.255", "1.0.0.0"],
  ["10.0.0.0/8", "10.0.0.0", "10.255.255.255", "11.0.0.0"],
  ["100.64.0.0/10", "100.64.0.0", "100.127.255.255", "100.128.0.0"],
  ["127.0.0.0/8", "127.0.0.0", "127.255.255.255", "128.0.0.0"],
  ["169.254.0.0/16", "169.254.0.0", "169.254.255.255", "169.255.0.0"],
  ["172.16.0.0/12", "172.16.0.0", "172.31.255.255", "172.32.0.0"],
  ["192.0.0.0/24", "192.0.0.0", "192.0.0.255", "192.0.1.0"],
  ["192.0.2.0/24", "192.0.2.0", "192.0.2.255", "192.0.3.0"],
  ["192.88.99.0/24", "192.88.99.0", "192.88.99.255", "192.88.100.0"],
  ["192.168.0.0/16", "192.168.0.0", "192.168.255.255", "192.169.0.0"],
  ["198.18.0.0/15", "198.18.0.0", "198.19.255.255", "198.20.0.0"],
  ["198.51.100.0/24", "198.51.100.0", "198.51.100.255", "198.51.101.0"],
  ["203.0.113.0/24", "203.0.113.0", "203.0.113.255", "203.0.114.0"],
  ["240.0.0.0/4", "240.0.0.0", "255.255.255.255", undefined],
  ["::1/128", "::1", "::1", undefined],
  ["::/128", "::", "::", undefined],
  ["::ffff:0:0:0/96", "::ffff:0:0:0", "::ffff:0:808:808", undefined],
  ["64:ff9b:1::/48", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:808:808", undefined],
  ["100::/64", "100::", "100::ffff:ffff:ffff:ffff", undefined],
  ["100:0:0:1::/64", "100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff", undefined],
  ["2001::/32", "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", undefined],
  ["2001:2::/48", "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", undefined],
  ["2001:10::/28", "2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", undefined],
  ["2001:20::/28", "2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", undefined],
  ["2001::/23", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"],
  ["2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"],
  ["3fff::/20", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"],
  ["5f00::/16", "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", undefined],
  ["fc00::/7", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", undefined],
  ["fe80::/10", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", undefined]
] as const

/** What IANA has not given out as global unicast: multicast, and the rest of the IPv6 space. */
const unassigned = [
  "224.0.0.0",
  "239.255.255.255",
  "ff00::",
  "ff0e::1",
  "4000::",
  "1fff::1",
  "::8.8.8.8",
  "e000::"
]

describe("networkZone", () => {
  it.each(specialPurpose)("%s is not public, and the address after it is", (_block, first, last, after) => {
    assert.notStrictEqual(networkZone(first), "public")
    assert.notStrictEqual(networkZone(last), "public")
    if (after !== undefined) assert.strictEqual(networkZone(after), "public")
  })

  it.each(unassigned)("the network %s is reserved", (address) => {
    assert.strictEqual(networkZone(address), "reserved")
  })

  it.each(zones)("the address %s is %s", (address, zone) => {
    assert.strictEqual(networkZone(address), zone)
  })

  it.each(["example.com", "", "127.1", "1.2.3.4.5", "[::1", "::1]x"])("%j is no IP address", (text) => {
    assert.isUndefined(networkZone(text))
  })

  it("an IPv4 address and its mapped form have the same zone", () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        assert.strictEqual(networkZone(`::ffff:${address}`), networkZone(address))
      })
    )
  })

  it("every IP address has a zone", () => {
    fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => assert.isString(networkZone(address))))
  })
})
