import { timingSafeEqual, createHash } from "node:crypto"
import type { IncomingMessage } from "node:http"
import { isLoopbackHost } from "@secure-mcp/oauth-core"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { type ApiKey, apiKeySecret, type GatewaySettings } from "../config/GatewaySettings.ts"
import type { Caller } from "../upstream/Upstream.ts"

/** Why a request is refused. */
export interface Refusal {
  readonly status: 401 | 403
  readonly message: string
}

/**
 * Decides who may use the gateway. Refuses unknown names in `Host` and `Origin`, because a web page could otherwise reach
 * a gateway on the person's machine (DNS rebinding). If there are API keys, the request must carry one of them.
 */
export const makeAccess = (settings: GatewaySettings) => {
  const keys = settings.apiKeys.map(knownKey)
  return (request: IncomingMessage): Result.Result<Caller, Refusal> => {
    const refusal = checkHost(request, settings) ?? checkOrigin(request, settings)
    return refusal === undefined ? identify(request, keys) : Result.fail(refusal)
  }
}

const checkHost = (request: IncomingMessage, settings: GatewaySettings): Refusal | undefined => {
  const host = hostname(`http://${request.headers.host ?? ""}`)
  if (host !== undefined && (isOwnName(host, settings) || isAddress(host))) return undefined
  return {
    status: 403,
    message: "The Host header names another machine. Add the name to gateway.allowed_hosts"
  }
}

const checkOrigin = (request: IncomingMessage, settings: GatewaySettings): Refusal | undefined => {
  const { origin } = request.headers
  if (origin === undefined) return undefined
  const host = hostname(origin)
  const own = hostname(`http://${request.headers.host ?? ""}`)
  if (host !== undefined && (isOwnName(host, settings) || host === own)) return undefined
  return {
    status: 403,
    message: "The Origin header names a page of another machine. Add its host to gateway.allowed_hosts"
  }
}

interface KnownKey {
  readonly digest: Buffer
  readonly caller: Caller
}

/** A key without a subject stands for a person too: the subject is then derived from the key. */
const knownKey = (apiKey: ApiKey): KnownKey => {
  const keyDigest = digest(Redacted.value(apiKeySecret(apiKey)))
  const name = Redacted.isRedacted(apiKey) ? `key-${keyDigest.toString("hex").slice(0, 16)}` : apiKey.subject
  return { digest: keyDigest, caller: { subject: name } }
}

const identify = (
  request: IncomingMessage,
  keys: ReadonlyArray<KnownKey>
): Result.Result<Caller, Refusal> => {
  if (keys.length === 0) return Result.succeed({ subject: undefined })
  const presented = digest(/^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1] ?? "")
  // Compare every key, so that the duration does not show which one matched.
  const matches = keys.map((known) => timingSafeEqual(known.digest, presented))
  const match = keys[matches.indexOf(true)]
  return match === undefined
    ? Result.fail({ status: 401, message: "This gateway wants one of its API keys as Authorization: Bearer" })
    : Result.succeed(match.caller)
}

/** Digests have equal lengths, as the constant-time comparison requires. */
const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

const hostname = (url: string): string | undefined => URL.parse(url)?.hostname || undefined

const isOwnName = (host: string, settings: GatewaySettings): boolean =>
  isLoopbackHost(host) || host === settings.host.toLowerCase() || settings.allowedHosts.includes(host)

/** An IP address involves no DNS, so DNS rebinding is not possible. */
const isAddress = (host: string): boolean => /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[\da-f:.]+\])$/i.test(host)
