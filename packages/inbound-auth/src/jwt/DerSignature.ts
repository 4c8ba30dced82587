/** ASN.1 tags (X.690 §8.3, §8.9). */
const integer = 0x02
const sequence = 0x30

/**
 * An ECDSA signature as X.509 writes it, of one as JOSE writes it: r and s, each as long as a coordinate (RFC 7518 §3.4). Node
 * could do it, too, but takes a third longer for the whole verification then.
 *
 * @param size bytes of r, and of s
 * @returns undefined if the signature has another length
 */
export const derSignature = (signature: Buffer, size: number): Buffer | undefined => {
  if (signature.length !== 2 * size) return undefined
  const r = integerOf(signature.subarray(0, size))
  const s = integerOf(signature.subarray(size))
  const length = r.length + s.length
  // A length above 127 says first that it takes one more byte; 2 × (66 + 3) is the most.
  const head = length > 127 ? [sequence, 0x81, length] : [sequence, length]
  return Buffer.concat([Buffer.from(head), r, s])
}

/** A positive integer in as few bytes as possible: one above 127 in its first byte would be negative. */
const integerOf = (bytes: Buffer): Buffer => {
  const first = bytes.findIndex((byte) => byte !== 0)
  const digits = first === -1 ? bytes.subarray(-1) : bytes.subarray(first)
  const isPadded = (digits[0] ?? 0) > 127
  const head = isPadded ? [integer, digits.length + 1, 0] : [integer, digits.length]
  return Buffer.concat([Buffer.from(head), digits])
}
