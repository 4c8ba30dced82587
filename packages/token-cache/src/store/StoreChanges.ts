import { tokenKeyString, type TokenKey } from "@secure-mcp/oauth-core"

/** What has changed in a store since an earlier reading of its changes. */
export interface StoreChanges {
  /** Where the next reading goes on. */
  readonly cursor: string
  /**
   * The groups (`changeGroup`) of the keys of which a token was written or removed; undefined if the store cannot say: then
   * any may have been.
   */
  readonly groups: ReadonlySet<number> | undefined
}

/**
 * The group of a key, a whole number below 1,048,576. Stores remember changes by group, so that what they remember has a bound, and
 * shows no names. Keys that share a group by chance are asked about a little more often than they need to be.
 *
 * All processes that share a store have to agree on it: the FNV-1a hash of the key, folded to 20 bits.
 */
export const changeGroup = (key: TokenKey): number => {
  const text = tokenKeyString(key)
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return (hash ^ (hash >>> 20)) & 0xfffff
}
