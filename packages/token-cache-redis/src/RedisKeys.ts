/** The names of our keys in Redis. */
export interface RedisKeys {
  /** A hash: the sealed record, and the numbers of leases. */
  readonly token: (address: string) => string
  /** A string, while a process has the lease. */
  readonly lease: (address: string) => string
  /** A record that could not be read. */
  readonly damaged: (address: string) => string
  /** A sorted set of the addresses, by the time their tokens end. */
  readonly index: string
  /** A sorted set of the groups of keys, by the number of the last change in each. */
  readonly changes: string
}

/**
 * The braces are a hash tag: in a cluster all keys are in one slot, so that each step can be one script. An address is
 * a hash, too, so that a listing of the keys shows no names.
 */
export const redisKeys = (prefix: string): RedisKeys => {
  const tagged = `{${prefix}}`
  return {
    token: (address) => `${tagged}:token:${address}`,
    lease: (address) => `${tagged}:lease:${address}`,
    damaged: (address) => `${tagged}:damaged:${address}`,
    index: `${tagged}:tokens`,
    changes: `${tagged}:changes`
  }
}
