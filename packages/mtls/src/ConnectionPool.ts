import { CertificateUnusable } from "@secure-mcp/oauth-core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls"
import { Agent, buildConnector, type Dispatcher } from "undici"
import type { CertificateFiles } from "./CertificateFiles.ts"

/** How the connections of every pool are made. */
export interface ConnectionPoolOptions {
  /** How long connecting may take, TLS included. Default: 10 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
}

/** Connections with the system's authorities and without a client certificate. */
export const makePlainPool = (options: ConnectionPoolOptions): Dispatcher =>
  makePool(buildConnector({ ...tlsOptions(options), minVersion }))

/**
 * Connections with the certificates given. Those with a client certificate refuse plain http, where it could not
 * be presented.
 */
export const makeCertificatePool = Effect.fnUntraced(function* (
  files: CertificateFiles,
  options: ConnectionPoolOptions
) {
  const secureContext = yield* makeSecureContext(files)
  const connect = buildConnector({ ...tlsOptions(options), secureContext })
  return makePool(files.client === undefined ? connect : refusePlainHttp(connect))
})

/**
 * No time limit on answers: event streams stay open, and a caller sets its own limit for the whole request. HTTP/1.1, so that a stalled stream does not block another one.
 */
const makePool = (connect: buildConnector.connector): Dispatcher =>
  new Agent({ connect, allowH2: false, headersTimeout: 0, bodyTimeout: 0 })

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
