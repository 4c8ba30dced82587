import type { OAuthToken } from "@secure-mcp/oauth-core"
import { makeSecretCutter } from "@secure-mcp/oauth-flows/internal"
import type { TriedPlace } from "@secure-mcp/oauth-flows/internal"
import type { ServerEntry } from "@secure-mcp/transport-injection"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type * as Schema from "effect/Schema"
import type { GatewayConfig } from "@secure-mcp/gateway-server"
import type { Step } from "./Step.ts"

/** What `doctor` found, without secrets. */
export interface Report {
  readonly serverName: string
  /** Undefined for a server without `oauth`. */
  readonly grantType: string | undefined
  readonly subject: string | undefined
  readonly steps: ReadonlyArray<Step>
}

/** The report, with every secret of the configuration and of the stored token cut out of every text in it. */
export const maskedReport = (
  config: GatewayConfig,
  entry: ServerEntry,
  found: {
    readonly subject: string | undefined
    readonly steps: ReadonlyArray<Step>
    readonly token: OAuthToken | undefined
  }
): Report => {
  const cut = makeSecretCutter(
    [...redactedIn([config, found.token]), ...urlsOf(entry).flatMap(secretsOfUrl)],
    "[secret]"
  )
  const mask = (text: string) => oneLine(cut(text))
  return {
    serverName: entry.serverName,
    grantType: entry.oauth?.grantType,
    subject: found.subject,
    steps: found.steps.map((step) => ({
      ...step,
      message: mask(step.message),
      advice: step.advice === undefined ? undefined : mask(step.advice),
      places: step.places?.map((place) => ({
        ...place,
        url: mask(place.url),
        problem: place.problem === undefined ? undefined : mask(place.problem)
      })),
      facts: step.facts === undefined ? undefined : masked(step.facts, mask)
    }))
  }
}

/** Whether nothing stands in the way of a token. */
export const isPossible = ({ steps }: Report): boolean => steps.every(({ status }) => status !== "failed")

/** The report as one object. */
export const reportJson = (report: Report): Schema.Json => ({
  server_name: report.serverName,
  grant_type: report.grantType ?? null,
  subject: report.subject ?? null,
  possible: isPossible(report),
  steps: report.steps.map(({ advice, facts, message, name, places, status }) => ({
    step: name,
    status,
    message,
    advice: advice ?? null,
    ...facts,
    ...(places === undefined ? {} : { places: places.map(placeJson) })
  }))
})

/** The report as lines for people. */
export const reportLines = (report: Report): string => {
  const width = Math.max(...report.steps.map(({ name }) => name.length)) + 2
  const failures = report.steps.filter(({ status }) => status === "failed").length
  const what = report.grantType === undefined ? "a request without a token" : `a token (${report.grantType})`
  const verdict =
    failures === 0
      ? `Nothing was found that keeps "${report.serverName}" from ${what}.`
      : `${failures} ${failures === 1 ? "step keeps" : "steps keep"} "${report.serverName}" from ${what}.`
  return [...report.steps.flatMap((step) => stepLines(step, width)), "", verdict].join("\n")
}

const stepLines = (
  { advice, message, name, places = [], status }: Step,
  width: number
): ReadonlyArray<string> => {
  const indent = " ".repeat(9 + width)
  return [
    `${status.padEnd(9)}${name.padEnd(width)}${message}`,
    ...places.map((place) => indent + placeLine(place)),
    ...(advice === undefined ? [] : [`${indent}-> ${advice}`])
  ]
}

const placeJson = ({ isUsed, problem, status, url }: TriedPlace): Schema.Json => ({
  url,
  http_status: status ?? null,
  used: isUsed,
  problem: problem ?? null
})

const placeLine = ({ isUsed, problem, status, url }: TriedPlace): string => {
  const outcome = isUsed ? "used" : problem === `HTTP ${status}` ? undefined : problem
  return `${status ?? "---"} ${url}${outcome === undefined ? "" : ` (${outcome})`}`
}

const masked = (facts: NonNullable<Step["facts"]>, mask: (text: string) => string): Step["facts"] =>
  JSON.parse(JSON.stringify(facts), (_, value) => (typeof value === "string" ? mask(value) : value))

const oneLine = (text: string): string => text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " ")

/** Every redacted text in a value. */
const redactedIn = (value: unknown): ReadonlyArray<Redacted.Redacted> => {
  if (Redacted.isRedacted(value)) {
    const secret = Redacted.value(value)
    return typeof secret === "string" ? [Redacted.make(secret)] : []
  }
  return Predicate.isObjectOrArray(value) ? Object.values(value).flatMap(redactedIn) : []
}

const urlsOf = (entry: ServerEntry): ReadonlyArray<string> => [
  ...(entry._tag === "Http" ? [entry.url] : []),
  ...[entry.proxies?.http, entry.proxies?.https].flatMap((proxy) =>
    proxy === undefined ? [] : [Redacted.value(proxy)]
  )
]

/** API keys stand in the queries and the user names of some servers' URLs, passwords in those of proxies. */
const secretsOfUrl = (url: string): ReadonlyArray<Redacted.Redacted> => {
  const { password, searchParams, username } = new URL(url)
  return [username, password, ...searchParams.values()]
    .filter((text) => text.length >= 8)
    .map((text) => Redacted.make(text))
}
