import {
  type AddressLookup,
  type AddressRule,
  CertificateUnusable,
  proxyFor,
  type Proxies
} from "@secure-mcp/oauth-core"
import { addressNotAllowed } from "@secure-mcp/oauth-core/internal"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { isIP, type LookupFunction } from "node:net"
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls"
import { Agent, buildConnector, Pool, type Dispatcher } from "undici"
import type { CertificateFiles } from "../certificates/CertificateFiles.ts"
import { freeingConnector } from "./FreeingConnector.ts"
import { type ConnectionTls, makeProxyAgent } from "./ProxyTunnel.ts"

/** How the connections of every pool are made. */
export interface ConnectionPoolOptions {
  /** How long connecting may take, TLS included. Default: 10 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
}

/** Connections that all present the same client certificate, or none, directly or through proxies. */
export interface ConnectionPool {
  /**
   * Those through the proxies given; the same ones for the same proxies and rule.
   *
   * @param addresses where direct connections may lead, checked as each is made; default: anywhere
   */
  readonly through: (proxies: Proxies | undefined, addresses?: AddressRule) => ClientConnection
  /** Closes all of them once their running requests are done. */
  readonly close: Effect.Effect<void>
  /** Closes all of them at once. */
  readonly destroy: Effect.Effect<void>
}

/** Pooled connections through the same proxies, or none. */
export interface ClientConnection {
  readonly dispatcher: Dispatcher
  /** `x5t#S256` (RFC 8705 §3.1) of the client certificate they present, if they present one. */
  readonly certificateThumbprint?: string | undefined
  /** Whether a request to this URL goes through a proxy, which then looks up the host. */
  readonly usesProxy: (url: string) => boolean
}

/** Makes the function by which a socket looks up its host and which refuses what a rule does not allow. */
export type MakeCheckedLookup = (rule: AddressRule) => LookupFunction

/**
 * The addresses that are checked are those that the socket connects to: there is no second look-up, to which an
 * attacker's DNS could give another answer.
 */
export const makeCheckedLookup = Effect.fnUntraced(function* ({
  lookup
}: (typeof AddressLookup)["Service"]): Effect.fn.Return<MakeCheckedLookup, never, Scope.Scope> {
  const run = yield* FiberSet.makeRuntime()
  return (rule) =>
    (hostname, { all }, callback) => {
      const found = Effect.filterOrFail(
        lookup(hostname),
        (addresses) => addresses.length > 0 && addresses.every((address) => rule.allows(address)),
        () => ({ code: addressNotAllowed })
      )
      run(
        Effect.match(found, {
          onFailure: ({ code }) => callback(Object.assign(new Error(`${hostname}: ${code}`), { code }), ""),
          onSuccess: (addresses) => {
            const [first = ""] = addresses
            if (all === true)
              callback(
                null,
                addresses.map((address) => ({ address, family: isIP(address) }))
              )
            else callback(null, first, isIP(first))
          }
        })
      )
    }
})

/** Connections with the system's authorities and without a client certificate. */
export const makePlainPool = (
  options: ConnectionPoolOptions,
  checkedLookup: MakeCheckedLookup
): ConnectionPool => {
  const toProxy = { ...tlsOptions(options), minVersion } as const
  return makePool({ toServer: toProxy, toProxy }, undefined, checkedLookup)
}

/**
 * Connections with the certificates given. Those with a client certificate refuse plain http, where it could not
 * be presented, and do not present it to a proxy.
 */
export const makeCertificatePool = Effect.fnUntraced(function* (
  files: CertificateFiles,
  options: ConnectionPoolOptions,
  checkedLookup: MakeCheckedLookup
) {
  const toProxy = {
    ...tlsOptions(options),
    secureContext: yield* makeSecureContext({ ...files, client: undefined })
  }
  const toServer = { ...toProxy, secureContext: yield* makeSecureContext(files) }
  return makePool({ toServer, toProxy }, files.client?.thumbprint, checkedLookup)
})

const makePool = (
  tls: ConnectionTls,
  certificateThumbprint: string | undefined,
  checkedLookup: MakeCheckedLookup
): ConnectionPool => {
  const byProxies = new Map<string, ClientConnection>()
  // Those of most requests, without a key to compute.
  let direct: ClientConnection | undefined
  const known = new WeakMap<Proxies, ClientConnection>()
  const connectorFor = (addresses: AddressRule | undefined) => {
    const lookup = addresses === undefined ? {} : { lookup: checkedLookup(addresses) }
    const connector = freeingConnector(buildConnector({ ...tls.toServer, ...lookup }))
    return certificateThumbprint === undefined ? connector : refusePlainHttp(connector)
  }
  const make = (proxies: Proxies | undefined, addresses: AddressRule | undefined): ClientConnection => ({
    dispatcher: makeAgent(connectorFor(addresses), (origin) => {
      const presents = certificateThumbprint !== undefined
      // Plain http is for `connect` to refuse.
      const proxy = presents && origin.startsWith("http:") ? undefined : proxyFor(origin, proxies)
      return proxy && makeProxyAgent(proxy, tls)
    }),
    certificateThumbprint,
    usesProxy: (url) => proxyFor(url, proxies) !== undefined
  })
  const forEach = (end: (dispatcher: Dispatcher) => Promise<void>) =>
    Effect.suspend(() =>
      Effect.forEach(
        [...byProxies.values(), ...(direct === undefined ? [] : [direct])],
        ({ dispatcher }) => Effect.promise(() => end(dispatcher)),
        {
          concurrency: "unbounded",
          discard: true
        }
      )
    )
  return {
    through: (proxies, addresses) => {
      if (proxies === undefined && addresses === undefined) return (direct ??= make(undefined, undefined))
      const isPlain = proxies !== undefined && addresses === undefined
      const seen = isPlain ? known.get(proxies) : undefined
      if (seen !== undefined) return seen
      const key = JSON.stringify([proxiesKey(proxies), addresses?.id])
      const connection = byProxies.get(key) ?? make(proxies, addresses)
      byProxies.set(key, connection)
      if (isPlain) known.set(proxies, connection)
      return connection
    },
    close: forEach((dispatcher) => dispatcher.close()),
    destroy: forEach((dispatcher) => dispatcher.destroy())
  }
}

const proxiesKey = ({ http, https, noProxy }: Proxies = {}): string =>
  JSON.stringify([http && Redacted.value(http), https && Redacted.value(https), noProxy])

/**
 * No time limit on answers: event streams stay open, and a caller sets its own limit for the whole request. HTTP/1.1, so that a stalled stream does not block another one.
 */
const makeAgent = (
  connect: buildConnector.connector,
  proxyAgent: (origin: string) => Dispatcher | undefined
): Dispatcher =>
  new Agent({
    connect,
    allowH2: false,
    headersTimeout: 0,
    bodyTimeout: 0,
    factory: (origin, options) => proxyAgent(String(origin)) ?? new Pool(origin, options)
  })

/** Set here so that no environment variable (NODE_TLS_REJECT_UNAUTHORIZED) turns the checks off. */
const tlsOptions = ({ connectTimeout = "10 seconds" }: ConnectionPoolOptions) => ({
  timeout: Duration.toMillis(connectTimeout),
  rejectUnauthorized: true,
  allowH2: false
})

const minVersion = "TLSv1.2"

/** Made once for a pool: the text of the private key is not cached, and no connection parses it again. */
const makeSecureContext = ({
  authorities,
  client
}: CertificateFiles): Effect.Effect<SecureContext, CertificateUnusable> => {
  const options: SecureContextOptions = {
    minVersion,
    ...(authorities === undefined ? {} : { ca: authorities }),
    ...(client === undefined ? {} : Redacted.value(client.material))
  }
  return Effect.try({
    try: () => createSecureContext(options),
    catch: (cause) =>
      new CertificateUnusable({
        key: client === undefined ? "ca_bundle_path" : client.file.key,
        problem: `is not accepted for TLS (${codeOf(cause)}). Use a certificate with a stronger key or signature`
      })
  })
}

const codeOf = (cause: unknown): string =>
  Predicate.hasProperty(cause, "code") ? String(cause.code) : "unknown reason"

const refusePlainHttp =
  (connect: buildConnector.connector): buildConnector.connector =>
  (options, callback) => {
    if (options.protocol === "https:") connect(options, callback)
    else callback(new Error("a client certificate can only be presented over https"), null)
  }
