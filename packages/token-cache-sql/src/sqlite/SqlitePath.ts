import { StoreUnavailable } from "@secure-mcp/oauth-core"
import * as Predicate from "effect/Predicate"
import { mkdirSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const invalidUrl = "must be the path of a file, or a URL such as file:///var/lib/gateway/tokens.db"

/** Why a URL names no file; undefined if it does. */
export const sqliteUrlProblem = (url: string): string | undefined =>
  sqlitePath(url) === undefined ? invalidUrl : undefined

/** The path that a URL or a path stands for; undefined for neither, and for a database in memory. */
export const sqlitePath = (url: string): string | undefined => {
  const [, scheme, rest = ""] = /^([a-z][a-z0-9+.-]+):(.*)$/i.exec(url) ?? []
  if (scheme === undefined) return url === "" || url === ":memory:" ? undefined : resolve(url)
  if (!/^(?:file|sqlite)$/i.test(scheme) || /^:?memory:?$|^$|[?#]/.test(rest)) return undefined
  if (!rest.startsWith("//")) return pathOfUrl(`file:${rest.startsWith("/") ? rest : resolve(rest)}`)
  return pathOfUrl(`file:${rest}`)
}

/** Undefined if it names another machine, or is not well-formed. */
const pathOfUrl = (url: string): string | undefined => {
  try {
    return fileURLToPath(url)
  } catch {
    return undefined
  }
}

/** Makes the folder of a file. */
export const makeFolderOf = (path: string): void => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
}

/** @param what as in "the SQLite file" */
export const cannotOpen = (what: string, path: string, cause: unknown): StoreUnavailable =>
  new StoreUnavailable({
    problem: `${what} ${path} cannot be opened (${codeOf(cause)}). Check the path, and who may write there`
  })

const codeOf = (cause: unknown): string =>
  Predicate.hasProperty(cause, "code") && Predicate.isString(cause.code) ? cause.code : "unknown reason"
