/** A `Map` with many keys, which forgets the oldest one beyond its capacity. */
import { serveRounds } from "../Worker.ts"
import { measureKeys } from "./KeyOperations.ts"

interface Token {
  readonly accessToken: string
  readonly expiresAt: number
}

const keyOf = (number: number): string =>
  JSON.stringify(["default", "default", "remote", `person-${number}@example.com`, "f".repeat(64)])

serveRounds(async ({ keys, milliseconds }) => {
  const tokens = new Map<string, Token>()
  const read = async (numbers: ReadonlyArray<number>) => {
    for (const number of numbers) {
      const token = tokens.get(keyOf(number))
      if (token === undefined || token.expiresAt < Date.now()) throw new Error(`Token ${number} is missing`)
    }
  }
  const write = async (numbers: ReadonlyArray<number>) => {
    for (const number of numbers) {
      tokens.set(keyOf(number), {
        accessToken: `${number}`.padStart(48, "a"),
        expiresAt: Date.now() + 3_600_000
      })
      if (tokens.size <= keys) continue
      for (const oldest of tokens.keys()) {
        tokens.delete(oldest)
        break
      }
    }
  }
  return measureKeys({ keys, milliseconds, read, write })
})
