/** An item of a `UseOrder`. Only the order sets its neighbours. */
export interface Ordered<Item> {
  older: Item | undefined
  newer: Item | undefined
}

/**
 * Items in the order of their last use, as a linked list: every operation takes the same time, however many there are. (A
 * `Map` from which items are deleted and set again has to step over all those deleted to find its first.)
 */
export class UseOrder<Item extends Ordered<Item>> {
  #oldest: Item | undefined
  #newest: Item | undefined

  /** The item that was not used for the longest time. */
  get oldest(): Item | undefined {
    return this.#oldest
  }

  has(item: Item): boolean {
    return item.newer !== undefined || item === this.#newest
  }

  /** Makes an item the one used last. */
  use(item: Item): void {
    if (item === this.#newest) return
    this.remove(item)
    item.older = this.#newest
    if (item.older === undefined) this.#oldest = item
    else item.older.newer = item
    this.#newest = item
  }

  remove(item: Item): void {
    if (!this.has(item)) return
    const { newer, older } = item
    if (older === undefined) this.#oldest = newer
    else older.newer = newer
    if (newer === undefined) this.#newest = older
    else newer.older = older
    item.older = undefined
    item.newer = undefined
  }
}
