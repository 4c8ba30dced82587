import * as Effect from "effect/Effect"

/** Room for the messages that are being sent, in bytes. */
export class Room {
  readonly #all: number
  #free: number
  readonly #waiting: Array<{ readonly bytes: number; readonly enter: () => void }> = []

  constructor(bytes: number) {
    this.#all = bytes
    this.#free = bytes
  }

  /** The room that a text takes: at most all there is. */
  sizeOf(text: string): number {
    return Math.min(Buffer.byteLength(text), this.#all)
  }

  /** Takes room, if there is enough and nobody waits for it. */
  takeNow(bytes: number): boolean {
    if (this.#waiting.length > 0 || bytes > this.#free) return false
    this.#free -= bytes
    return true
  }

  /** Takes room when there is enough, in turn. */
  take(bytes: number): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (this.takeNow(bytes)) return resume(Effect.void)
      const waiting = { bytes, enter: () => resume(Effect.void) }
      this.#waiting.push(waiting)
      return Effect.sync(() => {
        const index = this.#waiting.indexOf(waiting)
        if (index !== -1) this.#waiting.splice(index, 1)
      })
    })
  }

  /** Gives room back. */
  release(bytes: number): void {
    this.#free += bytes
    for (
      let next = this.#waiting[0];
      next !== undefined && next.bytes <= this.#free;
      next = this.#waiting[0]
    ) {
      this.#waiting.shift()
      this.#free -= next.bytes
      next.enter()
    }
  }
}
