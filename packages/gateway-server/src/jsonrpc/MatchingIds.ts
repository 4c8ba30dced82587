import type { IdText } from "./JsonRpc.ts"

/**
 * The one of some ids that a peer means by an id. A peer that reads numbers into a `double` answers 1 to 1.0, and
 * 9007199254740992 to 9007199254740993: such an id counts if no other could be meant.
 */
export const matchingId = (ids: Iterable<IdText>, id: IdText): IdText | undefined => {
  const all = [...ids]
  if (all.includes(id)) return id
  if (id.startsWith('"')) return undefined
  const alike = all.filter((other) => Number(other) === Number(id))
  return alike.length === 1 ? alike[0] : undefined
}

/** What stands under the id that a peer means by an id (`matchingId`), and that id as it is known here. */
export const entryById = <A>(
  byId: ReadonlyMap<IdText, A>,
  id: IdText | undefined
): readonly [IdText, A] | undefined => {
  if (id === undefined) return undefined
  const known = byId.has(id) ? id : matchingId(byId.keys(), id)
  const value = known === undefined ? undefined : byId.get(known)
  return known === undefined || value === undefined ? undefined : [known, value]
}
