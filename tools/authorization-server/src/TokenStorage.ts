import type { Adapter, AdapterPayload } from "oidc-provider"

interface Entry {
  readonly payload: AdapterPayload
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/**
 * Stores in memory what the provider issued, for as long as the server runs. There is no timer:
 * expired entries are removed when the store has doubled since the last removal.
 */
export class TokenStorage {
  #entries = new Map<string, Entry>()
  #activeJwtIds = new Set<string>()
  #sweepAt = 1024

  /** One view of the storage for each of the provider's models. */
  readonly adapter = (model: string): Adapter => ({
    upsert: async (id, payload, expiresIn) => this.#set(`${model}:${id}`, payload, expiresIn),
    find: async (id) => this.#get(`${model}:${id}`),
    findByUid: async (uid) => this.#search(model, (payload) => payload.uid === uid),
    findByUserCode: async (userCode) => this.#search(model, (payload) => payload.userCode === userCode),
    consume: async (id) => {
      const payload = this.#get(`${model}:${id}`)
      if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1000)
    },
    destroy: async (id) => {
      this.#entries.delete(`${model}:${id}`)
    },
    revokeByGrantId: async (grantId) => this.#delete((_key, payload) => payload.grantId === grantId)
  })

  /** The provider does not store JWTs; their ids are stored here so that they can be revoked. */
  registerJwt(id: string) {
    this.#activeJwtIds.add(id)
  }

  isActiveJwt(id: string) {
    return this.#activeJwtIds.has(id)
  }

  revokeAccessTokens() {
    this.#activeJwtIds.clear()
    this.#delete((key) => key.startsWith("AccessToken:") || key.startsWith("ClientCredentials:"))
  }

  revokeAll() {
    this.revokeAccessTokens()
    this.#delete((key) => key.startsWith("RefreshToken:"))
  }

  #set(key: string, payload: AdapterPayload, expiresIn: number | undefined) {
    this.#entries.set(key, {
      payload,
      expiresAt: expiresIn === undefined ? Number.POSITIVE_INFINITY : Date.now() + expiresIn * 1000
    })
    if (this.#entries.size >= this.#sweepAt) this.#sweep()
  }

  #get(key: string) {
    const entry = this.#entries.get(key)
    return entry !== undefined && entry.expiresAt > Date.now() ? entry.payload : undefined
  }

  #search(model: string, matches: (payload: AdapterPayload) => boolean) {
    for (const [key, entry] of this.#entries) {
      if (key.startsWith(`${model}:`) && matches(entry.payload)) return this.#get(key)
    }
    return undefined
  }

  #delete(matches: (key: string, payload: AdapterPayload) => boolean) {
    for (const [key, entry] of this.#entries) {
      if (matches(key, entry.payload)) this.#entries.delete(key)
    }
  }

  #sweep() {
    for (const [key, entry] of this.#entries) {
      if (entry.expiresAt <= Date.now()) this.#entries.delete(key)
    }
    this.#sweepAt = Math.max(1024, this.#entries.size * 2)
  }
}
