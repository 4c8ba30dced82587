/** A lease in the memory of this process. */
export interface MemoryLease {
  readonly revision: number
  /** When it ends, in milliseconds on the monotonic clock. */
  endsAt: number
  /** A token was stored or removed since it was given. */
  superseded: boolean
}

/** The leases of one process. Only touched in single synchronous steps. */
export const makeMemoryLeases = () => {
  let last = 0
  // In the order they were given; the last one of a key is the one that counts. Each leaves when it is released.
  const given = new Map<string, ReadonlyArray<MemoryLease>>()
  const leasesOf = (id: string) => given.get(id) ?? []

  return {
    /** @param after the revision of what is stored: that of the lease is higher */
    give: (id: string, now: number, endsAt: number, after = 0): MemoryLease | undefined => {
      const current = leasesOf(id).at(-1)
      if (current !== undefined && now < current.endsAt) return undefined
      last = Math.max(last, after) + 1
      const lease = { revision: last, endsAt, superseded: false }
      given.set(id, [...leasesOf(id), lease])
      return lease
    },
    /** A revision for a write or removal without a lease, higher than that of what is stored. */
    nextRevision: (after = 0): number => (last = Math.max(last, after) + 1),
    isLast: (id: string, lease: MemoryLease): boolean => leasesOf(id).at(-1) === lease,
    release: (id: string, lease: MemoryLease): void => {
      const others = leasesOf(id).filter((one) => one !== lease)
      if (others.length === 0) given.delete(id)
      else given.set(id, others)
    },
    /** @param by the lease something was written with; all leases before it are out of date */
    supersede: (id: string, by?: MemoryLease): void => {
      for (const lease of leasesOf(id))
        if (by === undefined || lease.revision < by.revision) lease.superseded = true
    }
  }
}
