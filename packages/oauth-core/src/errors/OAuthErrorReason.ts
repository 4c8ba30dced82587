import * as Schema from "effect/Schema"
import { Challenge } from "./Challenge.ts"
import { ClientAuthenticationMethod } from "../config/ClientAuthenticationMethod.ts"
import { clientCertificateAdvice } from "./ConnectionProblem.ts"

/** The configuration asks for something that this composition cannot do. */
export class Misconfigured extends Schema.TaggedError<Misconfigured>()("Misconfigured", {
  problem: Schema.String
}) {
  readonly retryable: boolean = false
  override get message(): string {
    return this.problem
  }
}

/** The client certificate could not be used; nothing was sent without it (RFC 8705 §2). */
export class CertificateUnusable extends Schema.TaggedError<CertificateUnusable>()("CertificateUnusable", {
  /** The configuration key of the file at fault. */
  key: Schema.String,
  problem: Schema.String
}) {
  readonly retryable: boolean = false
  override get message(): string {
    return `the client certificate cannot be used: \`${this.key}\` ${this.problem}`
  }
}

/** No connection, or it broke before the whole answer was there. */
export class ConnectionFailed extends Schema.TaggedError<ConnectionFailed>()("ConnectionFailed", {
  endpoint: Schema.String,
  problem: Schema.String,
  /** What to do, where the problem says more than that there was no connection. */
  advice: Schema.optionalKey(Schema.String),
  /** The error code of the system, if there was one. */
  code: Schema.optionalKey(Schema.String)
}) {
  readonly retryable: boolean = true
  override get message(): string {
    return `${this.endpoint} could not be reached (${this.problem}). ${this.advice ?? "Check the address and that the server is up"}`
  }
}

/** The endpoint did not answer within `auth_timeout_seconds`. */
export class RequestTimeout extends Schema.TaggedError<RequestTimeout>()("RequestTimeout", {
  endpoint: Schema.String,
  seconds: Schema.Finite
}) {
  readonly retryable: boolean = true
  override get message(): string {
    return `${this.endpoint} did not answer within ${this.seconds} s (\`auth_timeout_seconds\`)`
  }
}

/** The endpoint answered 429 or 5xx: it may work later. */
export class EndpointUnavailable extends Schema.TaggedError<EndpointUnavailable>()("EndpointUnavailable", {
  endpoint: Schema.String,
  status: Schema.Int,
  /** Seconds the server asked to wait (RFC 9110 §10.2.3), if it did. */
  retryAfterSeconds: Schema.optionalKey(Schema.Finite)
}) {
  readonly retryable: boolean = true
  override get message(): string {
    const when = this.retryAfterSeconds === undefined ? "later" : `in ${Math.ceil(this.retryAfterSeconds)} s`
    return `${this.endpoint} answered HTTP ${this.status}. Try again ${when}`
  }
}

/** The endpoint refused the request; a retry does not help (RFC 6749 §5.2). */
export class RequestRefused extends Schema.TaggedError<RequestRefused>()("RequestRefused", {
  endpoint: Schema.String,
  status: Schema.Int,
  /** The error code of RFC 6749 §5.2, when the answer had one. */
  error: Schema.optionalKey(Schema.String),
  /** The server's own words, with everything taken out that is not plain text or that we sent as a secret. */
  description: Schema.optionalKey(Schema.String),
  /** How the client authenticated, where the request did that. */
  authenticationMethod: Schema.optionalKey(ClientAuthenticationMethod),
  /** Whether the client certificate is what it lacked or did not accept, as far as that can be told (RFC 8705 §2). */
  clientCertificate: Schema.optionalKey(Schema.Literals(["missing", "refused", "doubtful"])),
  /** The claims that the person's token lacks, as JSON, where a new login would bring them (`interaction_required`). */
  claims: Schema.optionalKey(Schema.String),
  /** Whether the person has to log in and consent before the client gets a token on their behalf. */
  needsConsent: Schema.optionalKey(Schema.Boolean),
  /** What to do, where the request says more than the error code. */
  advice: Schema.optionalKey(Schema.String)
}) {
  readonly retryable: boolean = false
  override get message(): string {
    const detail = [this.error, this.description].filter((part) => part !== undefined).join(": ")
    const advice = this.advice ?? adviceOn(this)
    return (
      `${this.endpoint} refused the request with HTTP ${this.status}${detail === "" ? "" : ` (${detail})`}` +
      (advice === undefined ? "" : `. ${advice}`)
    )
  }
}

const adviceOn = ({ authenticationMethod, clientCertificate, error }: RequestRefused): string | undefined => {
  if (error === undefined) return clientCertificate && certificateAdviceFor[clientCertificate]
  return error === "invalid_client"
    ? adviceForClient[authenticationMethod ?? "client_secret_basic"]
    : adviceFor[error]
}

const checkSecret = "Check `client_id`, `client_secret` and `use_basic_auth`"
const checkCertificate =
  "Check `client_id`, and that the server knows the client certificate as this client's"

/** What to do about `invalid_client` depends on how the client authenticated. */
const adviceForClient: Readonly<Record<ClientAuthenticationMethod, string>> = {
  client_secret_basic: checkSecret,
  client_secret_post: checkSecret,
  private_key_jwt: "Check `client_id`, `private_key` and `private_key_id`",
  tls_client_auth: checkCertificate,
  self_signed_tls_client_auth: checkCertificate,
  none: "Check `client_id`, and that the server takes it without authentication"
}

const adviceFor: Readonly<Record<string, string>> = {
  unauthorized_client: "Allow this grant for the client at the authorization server",
  unsupported_grant_type: "Allow this grant at the authorization server",
  invalid_scope: "Check `scope`",
  invalid_target: "Check `resource` and `audience`",
  invalid_grant: "Log in again",
  slow_down: "The server is asked too often. Try again in some minutes",
  unsupported_token_type: "The server cannot revoke a token of this kind, which lives until it expires"
}

const certificateAdviceFor = {
  missing: "It asks for a client certificate. See `use_mtls`",
  refused: `It does not accept the client certificate. ${clientCertificateAdvice}`,
  doubtful: `It, or a TLS proxy in front of it, may have refused the client certificate. ${clientCertificateAdvice}`
}

/** The endpoint answered with a redirect, which is never followed with credentials. */
export class RedirectRefused extends Schema.TaggedError<RedirectRefused>()("RedirectRefused", {
  endpoint: Schema.String,
  status: Schema.Int
}) {
  readonly retryable: boolean = false
  override get message(): string {
    return `${this.endpoint} answered with a redirect (HTTP ${this.status}), which is not followed. Configure the final URL`
  }
}

/** The answer could not be used. Says why, and never quotes it. */
export class InvalidResponse extends Schema.TaggedError<InvalidResponse>()("InvalidResponse", {
  endpoint: Schema.String,
  problem: Schema.String
}) {
  readonly retryable: boolean = false
  override get message(): string {
    return `${this.endpoint} gave an answer that cannot be used: ${this.problem}`
  }
}

/** The token that was granted is bound to another client certificate than ours (RFC 8705 §3), so it cannot be used. */
export class CertificateBindingMismatch extends Schema.TaggedError<CertificateBindingMismatch>()(
  "CertificateBindingMismatch",
  {
    /** The server that issued the token. */
    endpoint: Schema.String,
    /** `x5t#S256` of the certificate that was presented there. */
    certificateThumbprint: Schema.String
  }
) {
  readonly retryable: boolean = false
  override get message(): string {
    return (
      `${this.endpoint} gave a token that is bound to another certificate than the one presented ` +
      `(x5t#S256 ${this.certificateThumbprint}). ` +
      "Check that no TLS proxy before the authorization server passes on a certificate of its own"
    )
  }
}

/** The token that was granted lacks scopes that were requested (`validate_scopes`). */
export class InsufficientScope extends Schema.TaggedError<InsufficientScope>()("InsufficientScope", {
  missing: Schema.Array(Schema.String)
}) {
  readonly retryable: boolean = false
  override get message(): string {
    return `the token lacks the scope ${this.missing.join(" ")}. Allow it for the client, or take it out of \`scope\``
  }
}

/** After repeated failures no request is sent to the endpoint for a while. */
export class CircuitOpen extends Schema.TaggedError<CircuitOpen>()("CircuitOpen", {
  endpoint: Schema.String,
  /** Seconds until the next attempt is allowed. */
  retryAfterSeconds: Schema.Finite
}) {
  readonly retryable: boolean = true
  override get message(): string {
    return `${this.endpoint} failed repeatedly and is left alone. Next try in ${Math.ceil(this.retryAfterSeconds)} s`
  }
}

/**
 * The MCP server refused the token (RFC 6750 §3.1): a new one too, or one whose request could not be sent again with
 * a new one.
 */
export class UpstreamUnauthorized extends Schema.TaggedError<UpstreamUnauthorized>()("UpstreamUnauthorized", {
  /** The HTTP status of the refusal: 400, 401 or 403. */
  status: Schema.Int,
  /** false: only one token was refused. It has been replaced, but the request could not be repeated. */
  repeatable: Schema.optionalKey(Schema.Boolean),
  /** true: the token was that of a new login, which had followed an earlier refusal. */
  afterLogin: Schema.optionalKey(Schema.Boolean)
}) {
  readonly retryable: boolean = this.repeatable === false
  override get message(): string {
    const said = `with HTTP ${this.status}`
    if (this.repeatable === false) {
      return `the MCP server refused the access token ${said}, and the request cannot be repeated because its body was not kept. The token has been replaced: send the request again`
    }
    return this.afterLogin === true
      ? `the MCP server refused the token of a new login, too, ${said}. Another login does not help, and nobody is asked for one within ten minutes. Check \`audience\`, \`resource\` and \`scope\`, and whether the account that logged in may use the server`
      : `the MCP server refused a fresh token ${said}. Check \`audience\`, \`resource\` and \`scope\``
  }
}

/** The token store could not be read or written. */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()("StoreUnavailable", {
  /** What went wrong; never a token, nor anything else that is stored. */
  problem: Schema.String
}) {
  readonly retryable: boolean = true
  override get message(): string {
    return `the token store cannot be used: ${this.problem}`
  }
}

/** A person has to log in: there is no grant yet, or it ended. */
export class AuthorizationRequired extends Schema.TaggedError<AuthorizationRequired>()(
  "AuthorizationRequired",
  {
    /** Where the person consents, if an authorization was begun for them. */
    authorizationUrl: Schema.optionalKey(Schema.String),
    /** The challenge to begin the authorization with, so that it requests the scope the MCP server demands. */
    challenge: Schema.optionalKey(Challenge)
  }
) {
  readonly retryable: boolean = false
  override get message(): string {
    return "a person has to log in"
  }
}

/** The authorization server could not be found, or what was found must not be used (RFC 9728 §3.3, RFC 8414 §3.3). */
export class DiscoveryFailed extends Schema.TaggedError<DiscoveryFailed>()("DiscoveryFailed", {
  /** The URL that was read, without its query. */
  url: Schema.String,
  problem: Schema.String
}) {
  readonly retryable: boolean = false
  override get message(): string {
    return `discovery at ${this.url} failed: ${this.problem}`
  }
}

/** The person or the authorization server refused (RFC 6749 §4.1.2.1, RFC 8628 §3.5). */
export class AuthorizationDenied extends Schema.TaggedError<AuthorizationDenied>()("AuthorizationDenied", {
  error: Schema.String,
  /** The server's own words, as plain text. */
  description: Schema.optionalKey(Schema.String),
  /** What the answer lacks, although it is taken for the end of the login. */
  remark: Schema.optionalKey(Schema.String)
}) {
  readonly retryable: boolean = false
  override get message(): string {
    const detail = this.description === undefined ? this.error : `${this.error}: ${this.description}`
    const remark = this.remark === undefined ? "" : `. Remark: ${this.remark}`
    return `${denialOf[this.error] ?? "the authorization was denied"} (${detail})${remark}`
  }
}

/** What the codes of RFC 6749 §4.1.2.1 and RFC 8628 §3.5 mean, and the one that Microsoft Entra has instead. */
const denialOf: Readonly<Record<string, string>> = {
  access_denied: "the authorization was denied",
  authorization_declined: "the person declined the authorization",
  expired_token: "the code expired before anybody agreed: log in again",
  slow_down: "the server was asked too often: wait some minutes and log in again"
}

/** The authorization response is not the answer to a request of ours, or not from the server that was asked. */
export class AuthorizationResponseInvalid extends Schema.TaggedError<AuthorizationResponseInvalid>()(
  "AuthorizationResponseInvalid",
  { problem: Schema.String }
) {
  readonly retryable: boolean = false
  override get message(): string {
    return `the authorization response cannot be used: ${this.problem}. Log in again`
  }
}

/** The MCP server demands more scope after each step-up (RFC 6750 §3.1). */
export class StepUpExhausted extends Schema.TaggedError<StepUpExhausted>()("StepUpExhausted", {
  attempts: Schema.Int,
  /** The scope that the last challenge demanded. */
  scope: Schema.optionalKey(Schema.String),
  /** true: the demand itself is too long, and was not followed. */
  tooLong: Schema.optionalKey(Schema.Boolean)
}) {
  readonly retryable: boolean = false
  override get message(): string {
    if (this.tooLong === true) {
      return (
        "the MCP server asks for more scope than is requested of anybody: over 100 names, or over 4096 characters. " +
        "Check the server, and put what it needs into `scope`"
      )
    }
    const wanted = this.scope === undefined ? "" : ` (${shortened(this.scope)})`
    return (
      `the MCP server still asks for more scope${wanted} after ${this.attempts} authorizations. ` +
      "Check that the authorization server grants it, and put it into `scope`"
    )
  }
}

const shortened = (scope: string): string => (scope.length > 200 ? `${scope.slice(0, 200)}…` : scope)

/** Why an operation failed, as a schema. */
export const OAuthErrorReason = Schema.Union([
  Misconfigured,
  CertificateUnusable,
  ConnectionFailed,
  RequestTimeout,
  EndpointUnavailable,
  RequestRefused,
  RedirectRefused,
  InvalidResponse,
  CertificateBindingMismatch,
  InsufficientScope,
  CircuitOpen,
  UpstreamUnauthorized,
  StoreUnavailable,
  AuthorizationRequired,
  DiscoveryFailed,
  AuthorizationDenied,
  AuthorizationResponseInvalid,
  StepUpExhausted
])

/** Why an operation failed. */
export type OAuthErrorReason = typeof OAuthErrorReason.Type
