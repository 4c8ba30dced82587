import { ClientCertificates } from "@secure-mcp/mtls"
import { type Challenge, describeConnectionFailure, type OAuthConfig, proxyFor } from "@secure-mcp/oauth-core"
import { proxyAddress, proxyFailed } from "@secure-mcp/oauth-core/internal"
import type { HttpServerEntry } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import { type AnswerWithoutToken, askWithoutToken } from "@secure-mcp/gateway-server/internal"
import { failed, ok, shown, type Step, warning } from "./Step.ts"

/** What an MCP server says to who has no token, and the challenge in it. */
export interface Challenged {
  readonly steps: ReadonlyArray<Step>
  readonly challenge: Challenge | undefined
}

/** Connects to the MCP server as a login does, and asks it without a token. */
export const challengeSteps = Effect.fnUntraced(
  function* (entry: HttpServerEntry) {
    const certificates = yield* ClientCertificates
    const answer = yield* askWithoutToken(certificates, entry.url, {
      config: entry.oauth,
      proxies: entry.proxies,
      userAgent: entry.userAgent
    }).pipe(Effect.timeout("10 seconds"))
    const tls = isHttps(entry.url) ? [ok("tls", "the certificate of the server is trusted")] : []
    return {
      steps: [proxyStep(entry), ...tls, challengeStep(entry.oauth, answer)],
      challenge: answer.challenge
    }
  },
  (self, entry) =>
    Effect.catch(self, (error) => {
      const steps: ReadonlyArray<Step> = error._tag === "CertificateUnusable" ? [] : unreachable(entry, error)
      return Effect.succeed<Challenged>({ steps, challenge: undefined })
    })
)

const proxyStep = ({ proxies, url }: HttpServerEntry): Step => {
  const proxy = proxyFor(url, proxies)
  return proxy === undefined
    ? ok("proxy", "none: the server is reached directly", { url: null })
    : ok("proxy", `${proxyAddress(proxy)} makes the connection`, { url: proxyAddress(proxy) })
}

const isHttps = (url: string): boolean => new URL(url).protocol === "https:"

const unreachable = (entry: HttpServerEntry, error: { readonly _tag: string }): ReadonlyArray<Step> => {
  const { oauth, url } = entry
  if (error._tag === "TimeoutError") {
    const message = `${shown(url)} did not answer within 10 s`
    return [proxyStep(entry), failed("challenge", message, "Check `config.url` and the server")]
  }
  const https = isHttps(url)
  const { advice, code, problem } = describeConnectionFailure(error, {
    https,
    useMtls: oauth?.useMtls === true
  })
  const message = `${shown(url)} could not be reached (${problem})`
  const whatToDo = advice ?? "Check `config.url` and that the server is up"
  return code === proxyFailed
    ? [failed("proxy", message, whatToDo)]
    : [proxyStep(entry), failed(https && isAboutTls(code) ? "tls" : "challenge", message, whatToDo)]
}

const isAboutTls = (code: string | undefined): boolean =>
  code !== undefined && /CERT|SSL|TLS|ALTNAME|ISSUER|VERIFY/.test(code)

const challengeStep = (oauth: OAuthConfig | undefined, answer: AnswerWithoutToken): Step => {
  const { challenge, location, status } = answer
  const authenticate = [answer.authenticate ?? []].flat().map(printed)
  const facts = { http_status: status, www_authenticate: authenticate }
  if (status === 401) return refusal(oauth, challenge, authenticate, facts)
  if (status >= 200 && status < 300) {
    return ok(
      "challenge",
      `HTTP ${status}: the server asks for no token here; a login begins with the first 401`,
      facts
    )
  }
  if (status >= 300 && status < 400) {
    return warning(
      "challenge",
      `HTTP ${status}: a redirect${location === undefined ? "" : ` to ${shown(location)}`}, which is not followed`,
      "Configure the URL where the server really is as `config.url`",
      facts
    )
  }
  return warning(
    "challenge",
    `HTTP ${status} instead of a 401 with a challenge`,
    "Check the path in `config.url`; discovery goes on at the well-known places",
    facts
  )
}

const refusal = (
  oauth: OAuthConfig | undefined,
  challenge: Challenge | undefined,
  authenticate: ReadonlyArray<string>,
  facts: Step["facts"]
): Step => {
  if (oauth === undefined)
    return warning(
      "challenge",
      "HTTP 401: the server wants a token",
      "Add an `oauth` object that is enabled",
      facts
    )
  if (challenge === undefined) {
    return warning(
      "challenge",
      `HTTP 401 without a Bearer challenge${authenticate.length === 0 ? "" : `: ${authenticate.join(", ")}`}`,
      "Nothing has to be done if the metadata is found below; the server should name it (RFC 9728 §5.1)",
      facts
    )
  }
  return ok("challenge", `HTTP 401, WWW-Authenticate: ${authenticate.join(", ")}`, facts)
}

/** Printable, on one line, not too long, and URLs without their queries. */
const printed = (text: string): string =>
  text
    .replaceAll(/[^\x20-\x7E]/g, "")
    .replaceAll(/(https?:\/\/[^\s"?#]*)[?#][^\s"]*/gi, "$1?…")
    .slice(0, 500)
