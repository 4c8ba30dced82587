import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

/** What a URL of PostgreSQL says about the connection, besides what its client reads. */
export interface PostgresAddress {
  /** As in `db.example:5432`. */
  readonly place: string
  readonly host: string
  /** Absent: it depends on the host. */
  readonly sslMode: string | undefined
}

const invalidUrl =
  "must be postgres://[user:password@]host[:port]/database, with sslmode=disable, prefer, require or verify-full if wanted"

/** What the client of PostgreSQL knows; another parameter would be ignored in silence. */
const knownParameters: ReadonlySet<string> = new Set([
  "application_name",
  "connect_timeout",
  "dbname",
  "host",
  "options",
  "password",
  "port",
  "sslmode",
  "user"
])

const sslModes: ReadonlySet<string> = new Set([
  "disable",
  "allow",
  "prefer",
  "require",
  "verify-ca",
  "verify-full"
])

/** Why a URL is none of PostgreSQL; never quotes it, because it may hold a password. */
export const postgresUrlProblem = (url: Redacted.Redacted): string | undefined => {
  const parsed = URL.parse(Redacted.value(url))
  if (parsed === null || !/^postgres(?:ql)?:$/.test(parsed.protocol)) return invalidUrl
  if (
    [parsed.username, parsed.password, parsed.pathname, parsed.hostname].some(
      (part) => !isPercentEncoded(part)
    )
  )
    return `${invalidUrl}. A percent sign in it is written as %25`
  const sslMode = parsed.searchParams.get("sslmode")
  if (sslMode !== null && !sslModes.has(sslMode)) return invalidUrl
  const unknown = Array.from(parsed.searchParams.keys()).find((name) => !knownParameters.has(name))
  if (unknown === undefined) return undefined
  return /^ssl(?:rootcert|cert|key)$/.test(unknown)
    ? `does not take ${unknown}: the authorities to trust are configured beside the URL (\`ca_bundle_path\`)`
    : `does not take the parameter ${unknown}`
}

const isPercentEncoded = (text: string): boolean =>
  Result.isSuccess(Result.try(() => decodeURIComponent(text)))

/** Undefined for a URL that is none. */
export const parsePostgresUrl = (url: Redacted.Redacted): PostgresAddress | undefined => {
  const parsed = URL.parse(Redacted.value(url))
  if (parsed === null || postgresUrlProblem(url) !== undefined) return undefined
  const { searchParams } = parsed
  const host =
    searchParams.get("host") ?? decodeURIComponent(parsed.hostname === "" ? "localhost" : parsed.hostname)
  const port = searchParams.get("port") ?? (parsed.port === "" ? "5432" : parsed.port)
  return {
    place: host.startsWith("/") ? host : `${host}:${port}`,
    host: host.replace(/^\[|\]$/g, ""),
    sslMode: searchParams.get("sslmode") ?? undefined
  }
}

/** Whether what is sent there leaves this machine. */
export const isLocal = (host: string): boolean =>
  host.startsWith("/") || /^(?:localhost|127(?:\.\d+){3}|::1)$/.test(host)
