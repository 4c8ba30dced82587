/** A token that is held, from a `Map` behind an async function: the least that somebody writes by hand. */
import { cpuPerOperation } from "../CpuPerOperation.ts"
import { serveRounds } from "../Worker.ts"

serveRounds(async ({ milliseconds }) => {
  const tokens = new Map([["remote", { accessToken: "a".repeat(48), expiresAt: Date.now() + 3_600_000 }]])
  const get = async (name: string): Promise<string> => {
    const token = tokens.get(name)
    if (token === undefined || token.expiresAt < Date.now()) throw new Error("There is no token")
    return token.accessToken
  }
  const byPromise = async (count: number) => {
    for (let done = 0; done < count; done++) await get("remote")
  }
  return async () => ({ promise: (await cpuPerOperation(byPromise, { batch: 1000, milliseconds })).cpu })
})
