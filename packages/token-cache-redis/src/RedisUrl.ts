import { Misconfigured } from "@secure-mcp/oauth-core"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

/** Where a Redis listens. */
export interface RedisNode {
  readonly host: string
  readonly port: number
}

/** What a URL of Redis says. */
export interface RedisTarget {
  /** One, but for Sentinel and Cluster, of which it may name several. */
  readonly nodes: readonly [RedisNode, ...ReadonlyArray<RedisNode>]
  readonly database: number
  readonly tls: boolean
  readonly username: string | undefined
  readonly password: Redacted.Redacted | undefined
}

const form = "must be redis://[user:password@]host[:port][/database], or rediss:// for TLS"

/**
 * Why a URL is none of Redis; never quotes it, because it may hold a password.
 *
 * @param topology says whether several hosts, with commas between them, may be named
 */
export const redisUrlProblem = (
  url: Redacted.Redacted,
  topology: "single" | "sentinel" | "cluster" = "single"
): string | undefined => {
  const parsed = parse(Redacted.value(url))
  if (parsed === undefined) return form
  if (topology === "single" && parsed.hosts.length > 1)
    return `${form}. It names several hosts: that is for Sentinel and Cluster, if one of them is configured`
  return topology === "cluster" && parsed.first.pathname.length > 1 && parsed.first.pathname !== "/0"
    ? "names a database, of which a cluster has only the first one (0)"
    : undefined
}

/** The parts of a URL; fails with `Misconfigured` for one that is none. */
export const parseRedisUrl = (
  url: Redacted.Redacted,
  topology: "single" | "sentinel" | "cluster"
): Result.Result<RedisTarget, Misconfigured> => {
  const problem = redisUrlProblem(url, topology)
  const parsed = parse(Redacted.value(url))
  if (problem !== undefined || parsed === undefined)
    return Result.fail(new Misconfigured({ problem: `the URL of Redis ${problem ?? form}` }))
  const { first, hosts } = parsed
  const part = (text: string) => (text === "" ? undefined : decodeURIComponent(text))
  const password = part(first.password)
  const [one, ...others] = hosts.map((host) => nodeOf(host, topology === "sentinel" ? 26379 : 6379))
  return Result.succeed({
    nodes: [one ?? { host: "localhost", port: 6379 }, ...others],
    database: Number(first.pathname.slice(1)),
    tls: first.protocol === "rediss:",
    username: part(first.username),
    password: password === undefined ? undefined : Redacted.make(password)
  })
}

const nodeOf = ({ hostname, port }: URL, usualPort: number): RedisNode => ({
  host: hostname === "" ? "localhost" : hostname.replace(/^\[|\]$/g, ""),
  port: port === "" ? usualPort : Number(port)
})

/** The URL with its first host, and a URL for each host. */
const parse = (text: string): { readonly first: URL; readonly hosts: ReadonlyArray<URL> } | undefined => {
  const [, before = "", places = "", after = ""] =
    /^(rediss?:\/\/(?:[^@/?#]*@)?)([^@/?#]*)(.*)$/i.exec(text) ?? []
  const first = URL.parse(before + (places.split(",")[0] ?? "") + after)
  const hosts = places.split(",").map((place) => URL.parse(`redis://${place}`))
  const isWhole =
    first !== null &&
    /^(?:\/\d*)?$/.test(first.pathname) &&
    isPercentEncoded(first.username) &&
    isPercentEncoded(first.password)
  const known = hosts.filter((host) => host !== null)
  const isNamed = places === "" || known.every(({ hostname }) => hostname !== "")
  return isWhole && isNamed && known.length === hosts.length ? { first, hosts: known } : undefined
}

/** A percent sign in a password has to be written as %25. */
const isPercentEncoded = (text: string): boolean =>
  Result.isSuccess(Result.try(() => decodeURIComponent(text)))
