/** A lease in the memory of this process. */
export interface MemoryLease {
  readonly number: number
  /** When it ends, in milliseconds on the monotonic clock. */
  endsAt: number
  /** Somebody has written or removed the token since it was given. */
  superseded: boolean
}

/** The leases of a memory store. Only touched in single synchronous steps. */
export const makeMemoryLeases = () => {
  let given = 0
  // In the order they were given; the last one of a key is the one that counts. A holder gives its lease back, so
  // none is left behind.
  const held = new Map<string, ReadonlyArray<MemoryLease>>()
  const of = (id: string) => held.get(id) ?? []

  return {
    give: (id: string, now: number, endsAt: number): MemoryLease | undefined => {
      const last = of(id).at(-1)
      if (last !== undefined && now < last.endsAt) return undefined
      const lease = { number: (given += 1), endsAt, superseded: false }
      held.set(id, [...of(id), lease])
      return lease
    },
    /** A number for a write without a lease. */
    nextNumber: () => (given += 1),
    isLast: (id: string, lease: MemoryLease): boolean => of(id).at(-1) === lease,
    takeBack: (id: string, lease: MemoryLease): void => {
      const others = of(id).filter((one) => one !== lease)
      if (others.length === 0) held.delete(id)
      else held.set(id, others)
    },
    /** @param by the lease something was written with; all leases before it are out of date */
    supersede: (id: string, by?: MemoryLease): void => {
      for (const lease of of(id)) if (by === undefined || lease.number < by.number) lease.superseded = true
    }
  }
}
