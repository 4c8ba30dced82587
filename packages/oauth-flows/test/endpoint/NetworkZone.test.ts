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

describe("networkZone", () => {
  it.each(zones)("%s is %s", (address, zone) => {
    assert.strictEqual(networkZone(address), zone)
  })

  it.each(["example.com", "", "127.1", "1.2.3.4.5", "[::1", "::1]x"])("%j is no address", (text) => {
    assert.isUndefined(networkZone(text))
  })

  it("is the same for an IPv4 address and for its mapped form", () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        assert.strictEqual(networkZone(`::ffff:${address}`), networkZone(address))
      })
    )
  })

  it("knows a zone for every address", () => {
    fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => assert.isString(networkZone(address))))
  })
})
