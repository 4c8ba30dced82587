import * as Effect from "effect/Effect"
import { StoreUnavailable } from "@secure-mcp/oauth-core"
import type { PrivateDirectory } from "./PrivateDirectory.ts"

/** A small state that several processes change, each change in one step. */
export interface FileTransitions {
  /**
   * Goes from the state at an address to another one. Of several processes at once one goes first, and the others
   * see where it went.
   *
   * @param change gets the state as it stands (undefined if there is none); gives a result, and the next state or
   *   undefined to leave it. Called again when another process was faster
   */
  readonly transition: <A>(
    address: string,
    change: (state: Uint8Array | undefined) => readonly [result: A, next: Uint8Array | undefined]
  ) => Effect.Effect<A, StoreUnavailable>
}

/**
 * The states of an address are numbered files, `<address>-<number>`, of which the last one counts. A step is the
 * creation of the next number, which only one process can do; it then takes the earlier ones away.
 */
export const makeFileTransitions = (directory: PrivateDirectory): FileTransitions => {
  const numbersOf = (address: string) =>
    Effect.map(directory.names, (names) =>
      names
        .map((name) => parseName(name))
        .flatMap((parsed) => (parsed?.address === address ? [parsed.number] : []))
        .toSorted((a, b) => a - b)
    )

  const last = Effect.fnUntraced(function* (address: string) {
    const number = (yield* numbersOf(address)).at(-1)
    if (number === undefined) return { number: 0, state: undefined }
    const state = yield* directory.read(nameOf(address, number))
    // If it is gone, another process has gone on since the folder was read.
    return state && { number, state }
  })

  /** Whether this was the next step: a process that started from an old state may find a number that is free again. */
  const append = Effect.fnUntraced(function* (address: string, number: number, state: Uint8Array) {
    if (!(yield* directory.create(nameOf(address, number), state))) return false
    const numbers = yield* numbersOf(address)
    const isLast = numbers.at(-1) === number
    const outdated = isLast ? numbers.slice(0, -1) : [number]
    for (const one of outdated) yield* directory.remove(nameOf(address, one))
    return isLast
  })

  /** One attempt; undefined if another process was faster. */
  const attempt = Effect.fnUntraced(function* <A>(
    address: string,
    change: (state: Uint8Array | undefined) => readonly [result: A, next: Uint8Array | undefined]
  ) {
    const before = yield* last(address)
    if (before === undefined) return undefined
    const [result, next] = change(before.state)
    return next === undefined || (yield* append(address, before.number + 1, next)) ? { result } : undefined
  })

  return {
    transition: (address, change) =>
      attempt(address, change).pipe(
        Effect.repeat({ times: attempts - 1, until: (done) => done !== undefined }),
        Effect.flatMap((done) =>
          done === undefined
            ? Effect.fail(
                new StoreUnavailable({
                  problem: `other processes were ahead ${attempts} times in ${directory.pathOf(".")}. Try again`
                })
              )
            : Effect.succeed(done.result)
        ),
        Effect.uninterruptible
      )
  }
}

const attempts = 100

const nameOf = (address: string, number: number): string => `${address}-${number}`

/** The address and the number that the name of a file stands for. */
export const parseName = (
  name: string
): { readonly address: string; readonly number: number } | undefined => {
  const [, address, number] = /^([0-9a-f]{64})-(\d+)$/.exec(name) ?? []
  return address === undefined ? undefined : { address, number: Number(number) }
}
