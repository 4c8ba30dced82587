import { type ClientAuthenticationMethod, RequestRefused } from "@secure-mcp/oauth-core"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type { Answer } from "./Answer.ts"
import { parseFields, type ResponseFields } from "./ResponseBody.ts"
import type { SecretMask } from "../mask/SecretMask.ts"

/** Reads the error answers to one request (RFC 6749 §5.2), and knows the secrets that were sent with it. */
export interface Refuse {
  readonly fromAnswer: (answer: Answer) => RequestRefused
  readonly fromFields: (status: number, fields: ResponseFields) => RequestRefused
  /** Whether a text of an answer, printable ASCII, repeats a secret, or is too long to be searched. */
  readonly mayHoldSecret: (text: string) => boolean
}

/** The longest claims that are passed on, in characters: they go into a header. */
const longestClaims = 2048

/** The claims that a server demands of a new login, if they are JSON. */
const claimsIn = ({ claims }: ResponseFields, mask: SecretMask): { readonly claims?: string } => {
  if (!Predicate.isString(claims) || claims.length > longestClaims || mask(claims) !== claims) return {}
  return Result.isSuccess(Result.try((): unknown => JSON.parse(claims))) ? { claims } : {}
}

/** `AADSTS65001` of Entra: nobody has consented for this client. */
const entraConsent = 65_001

/** OpenID Connect Core §3.1.2.6; Entra says it with `invalid_grant`, and more closely with words of its own. */
const consentIn = ({ claims, error, error_codes: codes, suberror }: ResponseFields) =>
  error === "consent_required" ||
  suberror === "consent_required" ||
  (error === "interaction_required" && claims === undefined) ||
  (Array.isArray(codes) && codes.includes(entraConsent))
    ? { needsConsent: true }
    : {}

/** What is known of the client that is refused. */
interface RefusedClient {
  /** Whether it was to present a certificate (`use_mtls`). */
  readonly useMtls: boolean
  /** How it authenticated, if it did. */
  readonly authenticationMethod?: ClientAuthenticationMethod | undefined
}

/**
 * @param endpoint the name of the endpoint for errors
 * @param client who was refused
 */
export const describeRefusal = (
  endpoint: string,
  mask: SecretMask,
  { authenticationMethod, useMtls }: RefusedClient = { useMtls: false }
): Refuse => {
  const refusal = (
    status: number,
    fields: ResponseFields,
    clientCertificate?: RequestRefused["clientCertificate"]
  ) => {
    const error = errorCode(fields["error"], mask)
    const description = [fields["error_description"], error ?? fields["error"], fields["message"]]
      .map((text) => (text === error ? undefined : errorDescription(text, mask)))
      .find((text) => text !== undefined)
    return new RequestRefused({
      endpoint,
      status,
      ...(error === undefined ? {} : { error }),
      ...(description === undefined ? {} : { description }),
      ...claimsIn(fields, mask),
      ...consentIn(fields),
      ...(authenticationMethod === undefined ? {} : { authenticationMethod }),
      ...(clientCertificate === undefined ? {} : { clientCertificate })
    })
  }
  return {
    fromFields: (status, fields) => refusal(status, fields),
    mayHoldSecret: (text) => text.length > longestRead || mask(text) !== text,
    // The status alone says no; a body that cannot be read only takes the explanation away.
    fromAnswer: (answer) => {
      const body = Result.getOrElse(answer.body, () => "")
      return Result.match(parseFields(body), {
        onSuccess: (fields) => refusal(answer.status, fields),
        onFailure: () => refusal(answer.status, {}, certificateAtFault(answer.status, body, useMtls))
      })
    }
  }
}

/**
 * A TLS-terminating proxy in front of the server does not answer in OAuth: nginx answers with a page and HTTP 400, or
 * with its own statuses where it is configured to. The page is examined and never shown.
 */
const certificateAtFault = (
  status: number,
  body: string,
  useMtls: boolean
): RequestRefused["clientCertificate"] => {
  if (status === 496 || body.includes("No required SSL certificate was sent")) return "missing"
  if (status === 495 || body.includes("The SSL certificate error")) return "refused"
  return useMtls && (status === 400 || status === 403) ? "doubtful" : undefined
}

const errorCode = (value: unknown, mask: SecretMask): string | undefined =>
  Predicate.isString(value) &&
  (registeredCodes.has(value) || (/^[\w.-]{1,64}$/.test(value) && mask(value) === value))
    ? value
    : undefined

/** These mean what they say, even if a word of them stands in a secret. */
const registeredCodes: ReadonlySet<string> = new Set([
  "access_denied",
  "authorization_declined",
  "authorization_pending",
  "expired_token",
  "insufficient_scope",
  "invalid_client",
  "invalid_client_metadata",
  "invalid_grant",
  "invalid_redirect_uri",
  "invalid_request",
  "invalid_scope",
  "invalid_target",
  "invalid_token",
  "server_error",
  "slow_down",
  "temporarily_unavailable",
  "unauthorized_client",
  "unsupported_grant_type",
  "unsupported_response_type",
  "unsupported_token_type"
])

/** Characters of a description. What is behind them is not looked at: a long text takes its time. */
const longestRead = 16_384
const longestShown = 200

const errorDescription = (value: unknown, mask: SecretMask): string | undefined => {
  if (!Predicate.isString(value)) return undefined
  // RFC 6749 §5.2 allows no line ends: what follows one would look like a line of ours.
  const description = mask(value.slice(0, longestRead))
    .replaceAll(/[\s\p{Cc}]+/gu, (space) => (/[\p{Cc}\u2028\u2029]/u.test(space) ? " " : space))
    .trim()
    .slice(0, longestShown)
  return description === "" ? undefined : description
}
