import {
  AuthorizationResponseInvalid,
  type AuthorizationResponse,
  type GrantRequest,
  type OAuthErrorReason,
  type OAuthHttp
} from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { createHash } from "node:crypto"
import { AddressGuard } from "../endpoint/AddressGuard.ts"
import { EndpointClient } from "../endpoint/EndpointClient.ts"
import type { ResponseFields } from "../endpoint/ResponseBody.ts"
import { readSuccessFields } from "../endpoint/SuccessResponse.ts"
import { type GrantTarget, GrantTargets } from "../resolution/GrantTarget.ts"
import { forgetRefused, isClientRefused } from "../grants/LoginToken.ts"
import { postTokenForm } from "../token/TokenRequest.ts"
import { authorizationEndpoint, makeLoginTargets } from "./AuthorizationCode.ts"
import { AuthorizationPages } from "./AuthorizationPages.ts"
import { isSameText, judgeFields, readFields } from "./AuthorizationResponse.ts"
import { authorizationUrlOf } from "./AuthorizationUrl.ts"

/** One authorization of one browser. */
export interface BrowserAuthorization {
  readonly request: GrantRequest
  readonly redirectUri: string
  /** 256 random bits, base64url, that only this browser has. */
  readonly secret: Redacted.Redacted
}

/** What the token endpoint answered, and to which client. */
export interface BrowserGrant {
  readonly fields: ResponseFields
  readonly clientId: string
}

/**
 * Authorizations (RFC 6749 §4.1) of which nothing is remembered here: the `state`, the code verifier (RFC 7636) and the `nonce`
 * follow from a secret that the browser keeps in a cookie. So nobody can fill a memory by beginning many of them, and one
 * that was begun in one process ends in any other. A code counts only for the browser that has the secret.
 */
export class BrowserAuthorizations extends Context.Service<
  BrowserAuthorizations,
  {
    /** @param parameters added to the URL, such as `prompt` */
    readonly begin: (
      authorization: BrowserAuthorization,
      parameters: Readonly<Record<string, string>>
    ) => Effect.Effect<string, OAuthErrorReason>
    /** Checks a response and exchanges its code. Fails with `AuthorizationDenied` for an error of the server. */
    readonly redeem: (
      authorization: BrowserAuthorization,
      response: AuthorizationResponse
    ) => Effect.Effect<BrowserGrant, OAuthErrorReason>
  }
>()("@secure-mcp/oauth-flows/BrowserAuthorizations") {
  /** @param timeout of each request to the authorization server */
  static readonly layer = (timeout: Duration.Input): Layer.Layer<BrowserAuthorizations, never, OAuthHttp> =>
    Layer.effect(
      BrowserAuthorizations,
      Effect.suspend(() => make)
    ).pipe(
      Layer.provide([GrantTargets.layer, AuthorizationPages.layer]),
      Layer.provide([Digest.layerWebCrypto, SecureRandom.layerWebCrypto]),
      Layer.provide(EndpointClient.layer(timeout)),
      Layer.provide(AddressGuard.layer)
    )
}

/** The `nonce` (OpenID Connect Core §3.1.2.1) that belongs to a secret. */
export const nonceOf = (secret: Redacted.Redacted): string => derived("nonce", secret)

const make = Effect.gen(function* () {
  const services = Context.pick(
    EndpointClient,
    GrantTargets,
    AuthorizationPages
  )(yield* Effect.context<EndpointClient | GrantTargets | AuthorizationPages>())

  return BrowserAuthorizations.of({
    begin: Effect.fn("BrowserAuthorizations.begin")(function* ({ redirectUri, request, secret }, parameters) {
      const { resolve } = yield* makeLoginTargets(request, redirectUri)
      const target = yield* resolve
      const endpoint = yield* authorizationEndpoint(target)
      const { pkce, state } = derivedFrom(secret)
      const url = new URL(
        authorizationUrlOf(endpoint, { request, target, redirectUri, pkce, state, scope: target.scope })
      )
      for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
      yield* (yield* AuthorizationPages).begun(target)
      return url.href
    }, Effect.provide(services)),

    redeem: Effect.fn("BrowserAuthorizations.redeem")(function* ({ redirectUri, request, secret }, response) {
      const fields = yield* readFields(response)
      const { pkce, state } = derivedFrom(secret)
      if (fields["state"] === undefined || !isSameText(fields["state"], Redacted.value(state)))
        return yield* new AuthorizationResponseInvalid({
          problem: "its `state` is not that of the login which this browser has begun"
        })
      const target = yield* (yield* GrantTargets).resolve(request, { redirectUri })
      const { code, denial } = yield* judgeFields(fields, { target, pkce, state })
      // Anybody can begin a login and write such an error into the address that it comes back to. So it makes us forget no client by
      // itself: the login counts as not come back, and `AuthorizationPages` asks the server.
      if (denial === undefined || !isClientRefused(denial))
        yield* (yield* AuthorizationPages).returned(target)
      if (denial !== undefined || code === undefined)
        return yield* denial ?? new AuthorizationResponseInvalid({ problem: "it has no `code`" })
      return yield* exchange({ request, target, code, redirectUri, verifier: pkce.verifier })
    }, Effect.provide(services))
  })
})

const exchange = Effect.fnUntraced(function* ({
  code,
  redirectUri,
  request,
  target,
  verifier
}: {
  readonly request: GrantRequest
  readonly target: GrantTarget
  readonly code: Redacted.Redacted
  readonly redirectUri: string
  readonly verifier: Redacted.Redacted
}) {
  const { client, resource, tokenEndpoint } = target
  const parameters = {
    grant_type: "authorization_code",
    code,
    redirect_uri: redirectUri,
    code_verifier: verifier,
    resource
  }
  const fields = yield* postTokenForm({ request, target, parameters }, readSuccessFields(tokenEndpoint)).pipe(
    Effect.tapErrorTag("RequestRefused", (refusal) => forgetRefused(target, refusal))
  )
  return { fields, clientId: client.clientId } satisfies BrowserGrant
})

/** Always S256: a server that does not know it ignores it (RFC 7636 §5), and the `nonce` binds the ID token as well. */
const derivedFrom = (secret: Redacted.Redacted) => {
  const verifier = derived("verifier", secret)
  const challenge = createHash("sha256").update(verifier).digest("base64url")
  return {
    state: Redacted.make(derived("state", secret)),
    pkce: { verifier: Redacted.make(verifier), challenge, method: "S256" as const }
  }
}

const derived = (purpose: string, secret: Redacted.Redacted): string =>
  createHash("sha256")
    .update(`${purpose} ${Redacted.value(secret)}`)
    .digest("base64url")
