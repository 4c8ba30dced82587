/** A session, and whose it is. */
interface OwnedSession {
  readonly session: string
  readonly owner: string
}

/** Sessions of several owners, those of each in the order of use: the one unused the longest is the first. */
export class SessionsByOwner<A extends OwnedSession> {
  readonly #bySession = new Map<string, A>()
  readonly #byOwner = new Map<string, Map<string, A>>()

  get(session: string): A | undefined {
    return this.#bySession.get(session)
  }

  /** Puts a session in place of the one of the same name, as the one that its owner used last. */
  put(owned: A): void {
    this.drop(owned.session)
    this.#bySession.set(owned.session, owned)
    const own = this.#byOwner.get(owned.owner) ?? new Map<string, A>()
    this.#byOwner.set(owned.owner, own.set(owned.session, owned))
  }

  /** Notes that a session was used, unless it has been dropped meanwhile. */
  touch(owned: A): void {
    const own = this.#byOwner.get(owned.owner)
    if (own?.get(owned.session) !== owned) return
    own.delete(owned.session)
    own.set(owned.session, owned)
  }

  drop(session: string): void {
    const owned = this.#bySession.get(session)
    if (owned === undefined) return
    this.#bySession.delete(session)
    const own = this.#byOwner.get(owned.owner)
    own?.delete(session)
    if (own?.size === 0) this.#byOwner.delete(owned.owner)
  }

  /** Makes room over a capacity: the owner with the most loses the one unused the longest that may be dropped. */
  evictOver(capacity: number, mayDrop: (owned: A) => boolean = () => true): void {
    if (this.#bySession.size <= capacity) return
    let most = new Map<string, A>()
    for (const own of this.#byOwner.values()) if (own.size > most.size) most = own
    for (const owned of most.values()) if (mayDrop(owned)) return this.drop(owned.session)
  }
}
