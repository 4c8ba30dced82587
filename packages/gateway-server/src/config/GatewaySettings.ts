import {
  ConfigError,
  decodeConfig,
  type ConfigProblem,
  type ConfigResult,
  type Proxies
} from "@secure-mcp/oauth-core"
import { proxyProblem, ProxySetting, userAgentProblem } from "@secure-mcp/oauth-core/internal"
import { decodeLimits, type LimitsSetting } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type AllowedCallers, decodeAllowedCallers } from "./AllowedCallers.ts"
import { type CallersSettings, decodeCallersSettings, urlProblem } from "./CallersSettings.ts"
import { collectProblems, part } from "./CollectedProblems.ts"
import { decodeTlsSettings, type TlsSettings } from "./TlsSettings.ts"

const withDefault = <S extends Schema.Constraint>(schema: S, value: S["Encoded"]) =>
  Schema.withDecodingDefaultKey<S>(Effect.succeed(value))(schema)

const Secret = Schema.RedactedFromValue(Schema.String)

/** `"key"`, or `{ "key": …, "subject": … }` with the name of the person it belongs to. */
const ApiKey = Schema.Union([Secret, Schema.Struct({ key: Secret, subject: Schema.NonEmptyString })])

/** An API key of the gateway, with or without the name of the person it belongs to. */
export type ApiKey = typeof ApiKey.Type

/** The secret of an API key. */
export const apiKeySecret = (apiKey: ApiKey): Redacted.Redacted =>
  Redacted.isRedacted(apiKey) ? apiKey : apiKey.key

const fields = {
  /** The address to listen on. */
  host: withDefault(Schema.String, "127.0.0.1"),
  /** The port to listen on; 0 picks a free one. */
  port: withDefault(Schema.Int, 8787),
  /** The timeout of each request to an authorization server, in seconds. */
  authTimeoutSeconds: withDefault(Schema.Finite, 10),
  /** If not empty, clients must send one of these as `Authorization: Bearer`. */
  apiKeys: withDefault(Schema.Array(ApiKey), []),
  /** Host names, beyond this machine's own, under which clients reach the gateway. */
  allowedHosts: withDefault(Schema.Array(Schema.String), []),
  /** The port of the callback listener for logins without a `redirect_uri`; 0 picks a free one. */
  callbackPort: withDefault(Schema.Int, 0),
  /** The `User-Agent` of the gateway's own requests, for every server that does not say otherwise. */
  userAgent: Schema.optionalKey(Schema.String),
  /** The limits of every server that does not say otherwise. */
  limits: Schema.Unknown.pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  /** The certificate of the gateway itself; without it clients speak plain HTTP. */
  tls: Schema.optionalKey(Schema.Unknown),
  /** The URL under which clients reach the gateway. */
  publicUrl: Schema.optionalKey(Schema.String),
  /** Who may call, besides those with an API key. */
  callers: Schema.optionalKey(Schema.Unknown),
  /** Who may use which server. */
  allow: Schema.optionalKey(Schema.Unknown),
  /** The proxy for every server that does not say otherwise, in place of HTTP_PROXY and HTTPS_PROXY. */
  proxy: Schema.optionalKey(ProxySetting)
}

const wireNames = {
  authTimeoutSeconds: "auth_timeout_seconds",
  apiKeys: "api_keys",
  allowedHosts: "allowed_hosts",
  callbackPort: "callback_port",
  userAgent: "user_agent",
  publicUrl: "public_url"
} as const

const Settings = Schema.Struct(fields).pipe(Schema.encodeKeys(wireNames))

/** The `gateway` object of the configuration file. */
export interface GatewaySettings extends Omit<Fields, "limits" | "tls" | "callers" | "allow"> {
  readonly limits: LimitsSetting
  /** Bytes of all request bodies that are kept; it stands in `limits`. */
  readonly bufferedBytes: number
  readonly tls?: TlsSettings
  /** Undefined if API keys are the only way to say who calls. */
  readonly callers?: CallersSettings
  /** Who may use a server, by its name; one that is not named may be used by every caller. */
  readonly allow: ReadonlyMap<string, AllowedCallers>
  /** The proxies between the gateway and the issuers of its callers. */
  readonly proxies?: Proxies | undefined
}

type Fields = typeof Settings.Type

const rules = (settings: Fields): ReadonlyArray<ConfigProblem> => {
  const problems: Array<ConfigProblem> = []
  if (settings.host === "") problems.push({ path: ["host"], message: "must not be empty" })
  if (settings.port < 0 || settings.port > 65_535)
    problems.push({ path: ["port"], message: "must be 0 to 65535" })
  if (settings.authTimeoutSeconds <= 0) {
    problems.push({ path: ["auth_timeout_seconds"], message: "must be more than 0 seconds" })
  }
  if (settings.callbackPort < 0 || settings.callbackPort > 65_535) {
    problems.push({ path: ["callback_port"], message: "must be 0 to 65535" })
  }
  const userAgent = settings.userAgent === undefined ? undefined : userAgentProblem(settings.userAgent)
  if (userAgent !== undefined) problems.push({ path: ["user_agent"], message: userAgent })
  const proxy = settings.proxy === undefined ? undefined : proxyProblem(settings.proxy)
  if (proxy !== undefined) problems.push({ path: ["proxy"], message: proxy })
  problems.push(...publicUrlProblems(settings))
  settings.allowedHosts.forEach((host, index) => {
    if (!/^[a-z\d](?:[a-z\d.-]*[a-z\d])?$/.test(host)) {
      problems.push({
        path: ["allowed_hosts", index],
        message: "must be a host name in lower case, without scheme and port"
      })
    }
  })
  settings.apiKeys.forEach((apiKey, index) => {
    if (Redacted.value(apiKeySecret(apiKey)).length < 16) {
      problems.push({
        path: ["api_keys", index],
        message: "must have at least 16 characters, so that it cannot be guessed"
      })
    }
  })
  return problems
}

const publicUrlProblems = ({ callers, publicUrl }: Fields): ReadonlyArray<ConfigProblem> => {
  if (publicUrl === undefined) {
    return callers === undefined
      ? []
      : [
          {
            path: ["public_url"],
            message: "required with `callers`: tokens are for the URL under which clients reach the gateway"
          }
        ]
  }
  const message = urlProblem(publicUrl)
  return message === undefined ? [] : [{ path: ["public_url"], message }]
}

/** Decodes the `gateway` object and reports every problem at once. */
export const decodeGatewaySettings = (input: unknown): ConfigResult<GatewaySettings> => {
  const { accept, problems } = collectProblems()
  const settings = accept([], decodeFields(input))
  const { own, ofServers } = splitLimits(Predicate.hasProperty(input, "limits") ? input.limits : {})
  const limits = accept(["limits"], decodeLimits(ofServers))
  const buffered = accept(["limits"], decodeBuffered(own))
  const tls = Predicate.hasProperty(input, "tls") ? accept(["tls"], decodeTlsSettings(input.tls)) : undefined
  const callers = Predicate.hasProperty(input, "callers")
    ? accept(["callers"], decodeCallersSettings(input.callers))
    : undefined
  const allow = accept(["allow"], decodeAllowedCallers(part(input, "allow")))
  if (allow !== undefined && allow.size > 0 && callers === undefined && settings?.apiKeys.length === 0) {
    problems.push({
      path: ["allow"],
      message: "has no effect without `api_keys` or `callers`: nobody is known"
    })
  }
  if (callers?.clientCertificates === true && tls?.clientCaPath === undefined) {
    problems.push({
      path: ["callers", "client_certificates"],
      message: "has no effect without `gateway.tls.client_ca_path`, which asks clients for a certificate"
    })
  }
  if (
    settings === undefined ||
    limits === undefined ||
    buffered === undefined ||
    allow === undefined ||
    problems.length > 0
  )
    return Result.fail(new ConfigError({ problems }))
  const { allow: _allow, callers: _callers, tls: _tls, ...others } = settings
  return Result.succeed({
    ...others,
    ...buffered,
    limits,
    allow,
    ...(callers === undefined ? {} : { callers }),
    ...(tls === undefined ? {} : { tls })
  })
}

/** The limits of the gateway as a whole stand among those of each server. */
const splitLimits = (limits: unknown): { readonly own: unknown; readonly ofServers: unknown } => {
  if (!Predicate.isObject(limits) || !(bufferedBytesKey in limits)) return { own: {}, ofServers: limits }
  const { [bufferedBytesKey]: bufferedBytes, ...ofServers } = limits
  return { own: { [bufferedBytesKey]: bufferedBytes }, ofServers }
}

const bufferedBytesKey = "buffered_bytes"

const decodeBuffered = decodeConfig({
  schema: Schema.Struct({ bufferedBytes: withDefault(Schema.Int, 128 * 1024 * 1024) }).pipe(
    Schema.encodeKeys({ bufferedBytes: bufferedBytesKey })
  ),
  keys: [bufferedBytesKey],
  wireNames: { bufferedBytes: bufferedBytesKey },
  rules: ({ bufferedBytes }) =>
    bufferedBytes < 0 ? [{ path: [bufferedBytesKey], message: "must be at least 0" }] : []
})

const decodeFields = decodeConfig({
  schema: Settings,
  keys: ["host", "port", "proxy", "limits", "tls", "callers", "allow", ...Object.values(wireNames)],
  wireNames,
  rules
})
