import * as Predicate from "effect/Predicate"
import { ProxyFailure } from "./ProxyFailure.ts"

/** Why a connection failed or broke, for an error message. */
export interface ConnectionProblem {
  /** The cause, in plain words. */
  readonly problem: string
  /** What to do, if that is known. */
  readonly advice?: string
  /** The error code of the system, if there was one. */
  readonly code?: string
}

/** The properties of the connection that was attempted. */
export interface IntendedConnection {
  /** Whether its URL is https. */
  readonly https: boolean
  /** Whether it was to present a client certificate (`use_mtls`). */
  readonly useMtls: boolean
}

/**
 * Describes why a connection failed, from the error codes of Node, OpenSSL and undici. The texts of transport errors
 * are left out: they may quote URLs, headers and what the peer sent.
 *
 * @param error the transport's error; its chain of `cause` is followed
 */
export const describeConnectionFailure = (
  error: unknown,
  intended: IntendedConnection
): ConnectionProblem => {
  const proxyFailure = causes(error).find((cause) => cause instanceof ProxyFailure)
  if (proxyFailure !== undefined) return describeProxyFailure(proxyFailure)
  const code = deepestCode(error)
  if (code === undefined) return { problem: "the connection broke" }
  return { code, ...explain(code, intended) }
}

/** The code of a connection that a proxy did not give: nothing was sent. */
export const proxyFailed = "PROXY_FAILED"

const describeProxyFailure = ({ cause, proxy, status }: ProxyFailure): ConnectionProblem => {
  if (status === undefined) {
    const { advice, problem } = describeConnectionFailure(cause, { https: false, useMtls: false })
    return {
      code: proxyFailed,
      problem: `the proxy ${proxy} cannot be used: ${problem}`,
      advice: advice ?? "Check `proxy` and the variables HTTP_PROXY and HTTPS_PROXY"
    }
  }
  if (status === 407) {
    return {
      code: proxyFailed,
      problem: `the proxy ${proxy} does not accept the user name and password, or there are none (407)`,
      advice: "Write them into its URL, as in http://user:password@proxy.example.com:3128"
    }
  }
  return {
    code: proxyFailed,
    problem: `the proxy ${proxy} gave no connection to it (${status})`,
    advice: "Ask who runs the proxy, or go without it: `proxy` false, or the host in NO_PROXY"
  }
}

const explain = (code: string, intended: IntendedConnection): ConnectionProblem => {
  const alert = /^ERR_SSL_.*ALERT_(?<name>[A-Z_]+)$/.exec(code)?.groups?.["name"]
  if (alert !== undefined) return describeAlert(alert, intended)
  const known = problems.find(([codes]) => codes.test(code))?.[1] ?? { problem: code }
  return intended.https && closed.test(code) ? { ...known, advice: lostAlert(intended) } : known
}

/** What to check of a client certificate that a server does not accept. */
export const clientCertificateAdvice =
  "Check that the client certificate is the one registered there, of an authority the server trusts, and neither expired nor revoked"

const noClientCertificateAdvice = "If it asks for a client certificate, see `use_mtls`"

/** TLS 1.3 refuses a client certificate after the handshake, and the alert may be lost with the connection. */
const closed = /^(?:ECONNRESET|EPIPE|UND_ERR_SOCKET)$/

const lostAlert = ({ useMtls }: IntendedConnection): string =>
  useMtls
    ? `It may have refused the client certificate. ${clientCertificateAdvice}`
    : noClientCertificateAdvice

/** The server refused the handshake with an alert (RFC 8446 §6.2), which is about our certificate if we have one. */
const describeAlert = (alert: string, { useMtls }: IntendedConnection): ConnectionProblem => {
  if (alert === "CERTIFICATE_REQUIRED")
    return { problem: "it asks for a client certificate", advice: "See `use_mtls`" }
  if (!useMtls) {
    return { problem: `it refused the TLS handshake (${alert})`, advice: noClientCertificateAdvice }
  }
  return (
    aboutOurCertificate[alert] ?? {
      problem: `it refused the TLS handshake (${alert})`,
      advice: clientCertificateAdvice
    }
  )
}

const aboutOurCertificate: Readonly<Record<string, ConnectionProblem>> = {
  UNKNOWN_CA: {
    problem: "it does not trust the authority that signed the client certificate",
    advice: "Use a certificate of an authority that it trusts"
  },
  CERTIFICATE_REVOKED: {
    problem: "it says that the client certificate was revoked",
    advice: "Get a new one"
  },
  CERTIFICATE_EXPIRED: {
    problem: "it says that the client certificate has expired",
    advice: "Get a new one, or compare the clocks of both machines"
  }
}

const checkAuthorities = "See `ca_bundle_path`"

const problems: ReadonlyArray<readonly [RegExp, ConnectionProblem]> = [
  [/^ECONNREFUSED$/, { problem: "connection refused" }],
  [/^ECONNRESET$/, { problem: "the connection was reset" }],
  [/^(?:EPIPE|UND_ERR_SOCKET)$/, { problem: "the connection was closed before an answer came" }],
  [
    /^ADDRESS_NOT_ALLOWED$/,
    { problem: "its name leads to an address where the configured server is not. Nothing was sent there" }
  ],
  [/^ENOTFOUND$/, { problem: "the host name is unknown" }],
  [/^UND_ERR_CONNECT_TIMEOUT$/, { problem: "no connection in time" }],
  [/^UND_ERR_HEADERS_TIMEOUT$/, { problem: "no answer in time" }],
  [/^(?:HPE_|HTTPParserError$)/, { problem: "what came back is not HTTP" }],
  [/^DEPTH_ZERO_SELF_SIGNED_CERT$/, { problem: "its certificate is self-signed", advice: checkAuthorities }],
  [
    /^(?:UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(?:_LOCALLY)?|SELF_SIGNED_CERT_IN_CHAIN|CERT_SIGNATURE_FAILURE)$/,
    { problem: "its certificate is not of an authority that is trusted here", advice: checkAuthorities }
  ],
  [
    /^CERT_HAS_EXPIRED$/,
    { problem: "its certificate has expired", advice: "Its operator has to replace it" }
  ],
  [
    /^CERT_NOT_YET_VALID$/,
    { problem: "its certificate is not valid yet", advice: "Check the clock of this machine" }
  ],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    { problem: "its certificate is for another host", advice: "Check the host name in the URL" }
  ]
]

/** The innermost cause says what it was; undici's parser has a name instead of a code at times. */
const deepestCode = (error: unknown): string | undefined =>
  causes(error).map(codeOf).findLast(Predicate.isNotUndefined)

const codeOf = (error: object): string | undefined => {
  if (Predicate.hasProperty(error, "code") && isCode(error.code)) return error.code
  return Predicate.hasProperty(error, "name") && error.name === "HTTPParserError" ? error.name : undefined
}

/** An error, its cause, the cause of that, and so on. */
const causes = (error: unknown, depth = 8): ReadonlyArray<object> =>
  Predicate.isObject(error) && depth > 0
    ? [error, ...causes(Predicate.hasProperty(error, "cause") ? error.cause : undefined, depth - 1)]
    : []

/** OpenSSL's codes may contain a slash. */
const isCode = (value: unknown): value is string =>
  Predicate.isString(value) && /^[A-Z][A-Z\d_/]{1,60}$/.test(value)
