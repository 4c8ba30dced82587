import { freeMemory, freeWhenWritten, isFreedWhenWritten } from "@secure-mcp/oauth-core/internal"
import { describe, expect, it } from "@effect/vitest"

const size = 64 * 1024

describe("memory of pieces that were passed on", () => {
  it("memory of a piece is freed, and nobody can read it afterwards", () => {
    const piece = Buffer.alloc(size, "a")
    freeMemory(piece)
    expect([piece.length, piece.buffer.byteLength]).toEqual([0, 0])
  })

  it.each([
    ["the beginning", 0, size - 1],
    ["the end", 1, size]
  ])("memory stays if a piece is only %s of it", (_name, start, end) => {
    const all = Buffer.alloc(size, "a")
    freeMemory(all.subarray(start, end))
    expect(all.toString()).toBe("a".repeat(size))
  })

  it("memory stays if it is shared among threads", () => {
    const piece = new Uint8Array(new SharedArrayBuffer(size))
    freeMemory(piece)
    expect(piece).toHaveLength(size)
  })

  it.each([
    [100, false],
    [16 * 1024 - 1, false],
    [16 * 1024, true]
  ])("memory of %d bytes is worth freeing: %s", (bytes, isFreed) => {
    const piece = Buffer.allocUnsafeSlow(bytes)
    expect(isFreedWhenWritten(freeWhenWritten(piece))).toBe(isFreed)
    freeMemory(piece)
    expect(piece).toHaveLength(isFreed ? 0 : bytes)
  })

  it("memory is freed after writing only if somebody asked for it", () => {
    expect(isFreedWhenWritten(Buffer.alloc(size))).toBe(false)
    expect(isFreedWhenWritten("a".repeat(size))).toBe(false)
  })
})
