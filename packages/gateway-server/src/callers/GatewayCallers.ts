import type { IncomingMessage } from "node:http"
import { TLSSocket } from "node:tls"
import {
  ApiKeys,
  CallerRefused,
  Callers,
  CertificateCallers,
  type ClientCertificate,
  Introspection,
  JwtBearer
} from "@secure-mcp/inbound-auth"
import { MtlsOAuthHttp } from "@secure-mcp/mtls"
import type { Misconfigured, OAuthHttp } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { ApiKey, GatewaySettings } from "../config/GatewaySettings.ts"

/** The callers of a configuration: those with an API key, a certificate, or a token of one of the issuers. */
export const gatewayCallers = (settings: GatewaySettings) => {
  const { apiKeys, callers } = settings
  const connection = { proxies: settings.proxies, userAgent: settings.userAgent }
  const options = { rememberedTokens: callers?.rememberedTokens, ...connection }
  const methods = [
    ...(apiKeys.length === 0 ? [] : [Effect.succeed(ApiKeys.method(apiKeys.map(keyOf)))]),
    ...(callers?.clientCertificates === true ? [Effect.succeed(CertificateCallers.method)] : []),
    ...(callers === undefined || callers.jwt.length === 0 ? [] : [JwtBearer.method(callers.jwt, options)]),
    ...(callers?.introspection ?? []).map((issuer) => Introspection.method(issuer, options))
  ]
  return Callers.layerOf<Misconfigured, OAuthHttp | Scope.Scope>(methods).pipe(
    Layer.provide(MtlsOAuthHttp.layer)
  )
}

/** Those whom a worker knows by itself. Who else calls, the owner finds out, which has the keys of the issuers. */
export const callersOfWorker = ({ apiKeys, callers }: GatewaySettings): Callers["Service"] => {
  const { identify, refuse } = ApiKeys.method(apiKeys.map(keyOf))
  const otherwise = callers === undefined ? undefined : Effect.fail(leftToOwner)
  return { identify: (request) => identify(request) ?? otherwise ?? Result.fail(refuse(request)) }
}

const leftToOwner = new CallerRefused({
  reason: "IssuerUnavailable",
  problem: "The owner of the tokens finds out who calls"
})

const keyOf = (apiKey: ApiKey) => (Redacted.isRedacted(apiKey) ? { key: apiKey } : apiKey)

/** Makes what gives the certificate of a client that an authority of `tls.client_ca_path` has signed. */
export const makeCertificates = (): ((request: IncomingMessage) => ClientCertificate | undefined) => {
  const known = new WeakMap<TLSSocket, ClientCertificate>()
  return ({ socket }) => {
    if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined
    const certificate = known.get(socket) ?? read(socket)
    if (certificate !== undefined) known.set(socket, certificate)
    return certificate
  }
}

const read = (socket: TLSSocket): ClientCertificate | undefined => {
  const found = socket.getPeerX509Certificate()
  return (
    found && {
      subject: found.subject.replaceAll("\n", ", "),
      issuer: found.issuer.replaceAll("\n", ", "),
      expiresAt: found.validToDate.getTime(),
      thumbprint: Buffer.from(found.fingerprint256.replaceAll(":", ""), "hex").toString("base64url")
    }
  )
}
