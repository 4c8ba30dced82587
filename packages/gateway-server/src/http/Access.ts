import type { IncomingMessage } from "node:http"
import { type Caller as InboundCaller, type CallerRefused, Callers } from "@secure-mcp/inbound-auth"
import { isLoopbackHost } from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { mayUse } from "../callers/AllowedServers.ts"
import { gatewayCallers, makeCertificates } from "../callers/GatewayCallers.ts"
import { type Caller, makePersons } from "../callers/Person.ts"
import { isMetadataPath, makePublicResources, serverNameOf } from "../callers/PublicResources.ts"
import { issuersOfPeople } from "../config/CallersSettings.ts"
import type { GatewaySettings } from "../config/GatewaySettings.ts"
import { isPersonPath, personPrefix } from "../login/PersonPaths.ts"
import { pathOf } from "./NodeExchange.ts"

/** Why a request is refused. */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 503
  readonly message: string
  /** What the status calls for: `WWW-Authenticate`, `Retry-After`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Whether it happens whenever a client begins, and so is no warning in the log. Default false. */
  readonly isUsual?: boolean | undefined
}

/** Who sent a request, or why it is refused: as a value if that is known at once, else what finds it out. */
export type Identified = Result.Result<Caller, Refusal> | Effect.Effect<Caller, Refusal>

/**
 * Decides who may use the gateway, on every path and for every request.
 *
 * @example
 * ```ts
 * import { Access } from "@secure-mcp/gateway-server"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Result from "effect/Result"
 *
 * // A rule of one's own on top of those of the configuration: for `Layer.provide` with `Access.layer(config.gateway)`.
 * const ReadOnly = Layer.effect(
 *   Access,
 *   Effect.map(Access, (access) => ({
 *     ...access,
 *     identify: (request) =>
 *       request.method === "DELETE"
 *         ? Result.fail({ status: 403, message: "Sessions cannot be ended here" })
 *         : access.identify(request)
 *   }))
 * )
 * ```
 */
export class Access extends Context.Service<
  Access,
  {
    /**
     * Refuses unknown names in `Host` and `Origin`, and what a browser sends for a page that it does not name, because a web
     * page could otherwise reach a gateway on the person's machine (DNS rebinding, and requests that need no answer).
     */
    readonly checkSite: (request: IncomingMessage) => Refusal | undefined
    /**
     * Who sent a request, if that one may. By default it must carry one of the API keys or a token of one of the issuers, if
     * there are such. Give the same object for the same caller: what is computed for a caller is remembered with it.
     */
    readonly identify: (request: IncomingMessage) => Identified
  }
>()("@secure-mcp/gateway/Access") {
  /**
   * The rules of the configuration: `api_keys`, `callers`, `allow`, `allowed_hosts`, and against pages of others in a
   * browser.
   */
  static readonly layer = (settings: GatewaySettings) =>
    Layer.effect(
      Access,
      Effect.map(Callers, (callers) => makeAccess(settings, callers))
    ).pipe(Layer.provide(gatewayCallers(settings)))
}

/** One for the whole gateway: a caller is the same object wherever it is identified. */
export const makeAccess = (settings: GatewaySettings, callers: Callers["Service"]): Access["Service"] => {
  const checkHost = makeHostCheck(settings)
  const isForPeople = makePersonPathCheck(settings)
  return {
    // Browsers come to the pages of people from other sites: by links, and from the login of the company. The pages have cookies and
    // forms that no other site can use. None is asked for with a preflight.
    checkSite: (request) => {
      const refusal = checkHost(request)
      if (refusal !== undefined) return refusal
      const foreign = checkOrigin(request, settings)
      return foreign !== undefined && request.method !== "OPTIONS" && isForPeople(pathOf(request))
        ? undefined
        : foreign
    },
    identify: knowsCallers(settings) ? makeIdentify(settings, callers, isForPeople) : () => anyone
  }
}

const knowsCallers = ({ apiKeys, callers }: GatewaySettings): boolean =>
  apiKeys.length > 0 || callers !== undefined

/** Whether a path is one of the pages on which people are known by their browser. */
const makePersonPathCheck = ({ callers, publicUrl }: GatewaySettings): ((path: string) => boolean) => {
  if (issuersOfPeople(callers).length === 0 || publicUrl === undefined) return () => false
  const prefix = personPrefix(publicUrl)
  return (path) =>
    isPersonPath(path) || (path.startsWith(`${prefix}/`) && isPersonPath(path.slice(prefix.length)))
}

const makeIdentify = (
  settings: GatewaySettings,
  callers: Callers["Service"],
  isForPeople: (path: string) => boolean
) => {
  const resources = makePublicResources(settings)
  const withPerson = makePersons()
  const certificateOf = makeCertificates()
  return (request: IncomingMessage): Identified => {
    const path = pathOf(request)
    // A client reads there how to become a caller.
    if (resources !== undefined && isMetadataPath(path)) return anyone
    // Who is at a browser, its cookie says.
    if (isForPeople(path)) return anyone
    const admit = (caller: InboundCaller) => admitted(settings, path, withPerson(caller))
    const refuse = (refused: CallerRefused) => refusalOf(refused, resources?.metadataUrlOf(path))
    const found = callers.identify({
      authorization: authorizationOf(request),
      resource: resources?.resourceOf(path) ?? "",
      certificate: settings.tls?.clientCaPath === undefined ? undefined : certificateOf(request)
    })
    return Result.isResult(found)
      ? Result.flatMap(Result.mapError(found, refuse), admit)
      : Effect.flatMap(Effect.mapError(found, refuse), (caller) => Effect.fromResult(admit(caller)))
  }
}

const admitted = (
  { allow }: GatewaySettings,
  path: string,
  caller: Caller
): Result.Result<Caller, Refusal> => {
  const serverName = allow.size === 0 ? undefined : serverNameOf(path)
  return serverName === undefined || mayUse(allow.get(serverName), caller)
    ? Result.succeed(caller)
    : Result.fail({
        status: 403,
        message: `You may not use the server "${serverName}": \`gateway.allow\` does not name you, a group of yours or a scope of your token`
      })
}

const refusalOf = (refused: CallerRefused, metadataUrl: string | undefined): Refusal => {
  const challenge = refused.challenge(metadataUrl)
  const { message, retryAfterSeconds, status } = refused
  return {
    status,
    message,
    // A client that logs in by itself asks without a token first, to learn where.
    ...(refused.reason === "CallerRequired" && metadataUrl !== undefined ? { isUsual: true } : {}),
    headers: {
      ...(challenge === undefined ? {} : { "www-authenticate": challenge }),
      ...(retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) })
    }
  }
}

const anyone = Result.succeed<Caller>({ subject: undefined })

/** All of them, if there are several: Node would keep the first one, and another reader may have checked the last one. */
const authorizationOf = ({ headers, rawHeaders }: IncomingMessage): string | undefined => {
  const { authorization } = headers
  if (authorization === undefined) return undefined
  const values: Array<string> = []
  for (let index = 0; index < rawHeaders.length; index += 2)
    if (rawHeaders[index]?.length === 13 && rawHeaders[index]?.toLowerCase() === "authorization")
      values.push(rawHeaders[index + 1] ?? "")
  return values.length > 1 ? values.join(", ") : authorization
}

/** Clients name the same few hosts again and again, so those that were admitted are not read again. */
const makeHostCheck = (settings: GatewaySettings) => {
  const admitted = new Set<string>()
  return (request: IncomingMessage): Refusal | undefined => {
    const lines = countHosts(request)
    const { host } = request.headers
    const isOnlyHost = host !== undefined && lines === 1 && request.url?.startsWith("/") === true
    if (isOnlyHost && admitted.has(host)) return undefined
    const refusal = checkHost(request, lines, settings)
    if (refusal !== undefined || !isOnlyHost) return refusal
    if (admitted.size === rememberedHosts) admitted.clear()
    admitted.add(host)
    return undefined
  }
}

const rememberedHosts = 100

const checkHost = (
  request: IncomingMessage,
  lines: number,
  settings: GatewaySettings
): Refusal | undefined => {
  // Load balancers of old ask for the health without it. A browser never does, so no page can.
  if (lines === 0 && request.httpVersion === "1.0") return undefined
  const host = hostOf(request)
  if (host === undefined || lines > 1) {
    return { status: 400, message: "The request must have one Host header that names a host (RFC 9112 §3.2)" }
  }
  if (isOwnName(host, settings) || isAddress(host)) return undefined
  return {
    status: 403,
    message: "The Host header names another machine. Add the name to gateway.allowed_hosts"
  }
}

/** How many lines of `Host` there are; Node joins or drops what comes twice. */
const countHosts = ({ rawHeaders }: IncomingMessage): number => {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2)
    if (rawHeaders[index]?.length === 4 && rawHeaders[index]?.toLowerCase() === "host") count += 1
  return count
}

/** The port and the scheme of an origin do not count: a page may be served by another program on the same machine. */
const checkOrigin = (request: IncomingMessage, settings: GatewaySettings): Refusal | undefined => {
  const { origin } = request.headers
  if (origin === undefined) return checkUnnamedPage(request)
  const host = hostOfOrigin(origin)
  if (host !== undefined && (isOwnName(host, settings) || host === hostOf(request))) return undefined
  return {
    status: 403,
    message: "The Origin header names a page of another machine. Add its host to gateway.allowed_hosts"
  }
}

/** A page can make its browser send GET without `Origin`: as an image, a frame or a link (Fetch, `no-cors`). */
const checkUnnamedPage = (request: IncomingMessage): Refusal | undefined =>
  request.headers["sec-fetch-site"] === "cross-site"
    ? {
        status: 403,
        message:
          "A page of another site made the browser send this without an Origin header. Call the gateway with fetch in mode cors, or open the address by hand"
      }
    : undefined

/** The host that a request is for: of its target, if that has one, else of `Host` (RFC 9112 §3.2.2). */
const hostOf = ({ headers, url = "" }: IncomingMessage): string | undefined =>
  hostname(/^https?:\/\//i.test(url) ? url : `http://${headers.host ?? ""}`)

const hostname = (url: string): string | undefined => URL.parse(url)?.hostname || undefined

/** An origin is a scheme, a host and a port, and nothing else (RFC 6454 §7.1): a list of them names none. */
const hostOfOrigin = (origin: string): string | undefined => {
  const url = URL.parse(origin)
  return url !== null && origin.toLowerCase() === `${url.protocol}//${url.host}`
    ? url.hostname || undefined
    : undefined
}

const isOwnName = (host: string, settings: GatewaySettings): boolean =>
  isLoopbackHost(host) ||
  host === settings.host.toLowerCase() ||
  settings.allowedHosts.includes(host) ||
  (settings.publicUrl !== undefined && host === hostname(settings.publicUrl))

/** An IP address involves no DNS, so DNS rebinding is not possible. */
const isAddress = (host: string): boolean => /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[\da-f:.]+\])$/i.test(host)
