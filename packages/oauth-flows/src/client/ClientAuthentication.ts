import { Misconfigured } from "@secure-mcp/oauth-core"
import type { OAuthConfig } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as UrlParams from "effect/http/UrlParams"
import * as Redacted from "effect/Redacted"
import type { Client } from "./Client.ts"
import { clientAssertion } from "./ClientAssertion.ts"
import type { PrivateKey } from "./PrivateKey.ts"

/** The parameters of a form, secrets redacted; those that are `undefined` are left out. */
export type FormParameters = Readonly<Record<string, string | Redacted.Redacted | undefined>>

/** One value as it stands in `application/x-www-form-urlencoded` (RFC 6749 appendix B). */
export const formEncode = (value: string): string => UrlParams.toString([["", value]]).slice(1)

/** The headers and form parameters that authenticate a client. */
export interface ClientAuthentication {
  readonly headers: Readonly<Record<string, Redacted.Redacted>>
  readonly parameters: FormParameters
}

/**
 * Authenticates a client by exactly one method (RFC 6749 §2.3). A client that authenticates by its TLS certificate (RFC
 * 8705 §2) and a public client (RFC 6749 §3.2.1) only send their `client_id`.
 *
 * @param privateKey is read for `private_key_jwt` only
 * @param basicEncoding how `client_secret_basic` writes id and secret
 */
export const authenticateClient = (
  client: Client,
  privateKey: Effect.Effect<PrivateKey, Misconfigured>,
  basicEncoding: OAuthConfig["basicEncoding"] = "form"
): Effect.Effect<ClientAuthentication, Misconfigured> => {
  const { authenticationMethod, clientId, clientSecret } = client
  switch (authenticationMethod) {
    case "client_secret_basic":
      return Effect.map(required(clientSecret), (secret) => basic(clientId, secret, basicEncoding))
    case "client_secret_post":
      return Effect.map(required(clientSecret), (secret) => post(clientId, secret))
    case "private_key_jwt":
      return privateKey.pipe(
        Effect.flatMap((key) => clientAssertion(client, key)),
        Effect.map((assertion) => signed(clientId, assertion))
      )
    case "none":
    case "tls_client_auth":
    case "self_signed_tls_client_auth":
      return Effect.succeed({ headers: {}, parameters: { client_id: clientId } })
  }
}

const required = (clientSecret: Redacted.Redacted | undefined) =>
  clientSecret === undefined
    ? Effect.fail(new Misconfigured({ problem: "`client_secret` is not configured" }))
    : Effect.succeed(clientSecret)

/**
 * Both are form-urlencoded first, so that a colon in the id is not taken for the separator (§2.3.1), unless the server
 * does not decode them (`basic_encoding`).
 */
const basic = (
  clientId: string,
  clientSecret: Redacted.Redacted,
  basicEncoding: OAuthConfig["basicEncoding"]
): ClientAuthentication => {
  const encode = basicEncoding === "raw" ? (text: string) => text : formEncode
  const credentials = Base64.encode(`${encode(clientId)}:${encode(Redacted.value(clientSecret))}`)
  return { headers: { authorization: Redacted.make(`Basic ${credentials}`) }, parameters: {} }
}

const post = (clientId: string, clientSecret: Redacted.Redacted): ClientAuthentication => ({
  headers: {},
  parameters: { client_id: clientId, client_secret: clientSecret }
})

/** RFC 7523 §2.2 */
const signed = (clientId: string, assertion: Redacted.Redacted): ClientAuthentication => ({
  headers: {},
  parameters: {
    client_id: clientId,
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    client_assertion: assertion
  }
})
