import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { AccessTokenRequest } from "./AccessTokenRequest.ts"
import type { Challenge } from "./errors/Challenge.ts"
import type { OAuthError } from "./errors/OAuthError.ts"
import type { OAuthToken } from "./OAuthToken.ts"

/** The context of one acquisition at an authorization server. */
export interface GrantRequest extends AccessTokenRequest {
  /** That of the request being served, else one of this acquisition. Sent with every request of it and named in its errors. */
  readonly correlationId: string
  /** The challenge of the MCP server's refusal, if that is the reason for this acquisition. */
  readonly challenge?: Challenge | undefined
  /**
   * Whether the MCP server refused a token that had not expired. It may have moved to another authorization server, so
   * its metadata is read again.
   */
  readonly tokenRefused?: boolean | undefined
}

/** An authorization that waits for the person's consent. */
export interface AuthorizationRequest {
  /** Where the person logs in and consents. Can be used once, within some minutes. */
  readonly authorizationUrl: string
}

/** The parameters that came back to the redirect URI (RFC 6749 §4.1.2). */
export type AuthorizationResponse = URLSearchParams | Readonly<Record<string, string>>

/**
 * Stores a grant whose access token must not be served, or not yet: its refresh token is the only valid one
 * from now on, and the next renewal must send it. Never fails: what the store does not take is written later.
 *
 * @param token with `reusable: false`
 */
export type KeepGrant = (request: GrantRequest, token: OAuthToken) => Effect.Effect<void>

/** A new grant, and the request it answers. */
export interface GrantedToken {
  readonly request: GrantRequest
  readonly token: OAuthToken
}

/** An authorization by the person on another device (RFC 8628 §3.2). */
export interface DeviceAuthorization {
  /** The code that the person types in there. */
  readonly userCode: string
  readonly verificationUri: string
  /** The same with the code in it, for a link or a QR code. */
  readonly verificationUriComplete?: string | undefined
  /** Seconds until the code ends. */
  readonly expiresIn: number
  /** Waits until the person has agreed or refused. Run it once. */
  readonly token: Effect.Effect<OAuthToken, OAuthError>
}

/**
 * Whether the authorization server was told to revoke a token (RFC 7009). Without a revocation endpoint it cannot be
 * told: the access token then stays valid there until it expires.
 */
export type RevocationOutcome = "Revoked" | "NoRevocationEndpoint"

/** Port: routes a configuration to the flow for its grant type. */
export class Grants extends Context.Service<
  Grants,
  {
    /**
     * Obtains a token.
     *
     * @param previous the token to be replaced, for flows that can refresh (RFC 6749 §6)
     * @param keep called when an answer brought a refresh token and something can still fail: before a check that
     *   asks another endpoint, and before the failure for an access token that must not be served
     */
    readonly acquire: (
      request: GrantRequest,
      previous: OAuthToken | undefined,
      keep?: KeepGrant
    ) => Effect.Effect<OAuthToken, OAuthError>
    /**
     * Starts an authorization by a person (RFC 6749 §4.1.1). A second call for the same request may give the same one.
     *
     * @param redirectUri where the response is to arrive
     */
    readonly authorize: (
      request: GrantRequest,
      redirectUri: string
    ) => Effect.Effect<AuthorizationRequest, OAuthError>
    /**
     * Exchanges the code of an authorization response for a token, after checking that it is the answer to a request
     * of ours and comes from the server that was asked (RFC 9207). A response that is not changes nothing.
     *
     * @param keep as for `acquire`
     * @param identified called with the request that the response answers, once that is certain: a failure from then on is
     *   one of this request
     */
    readonly redeem: (
      response: AuthorizationResponse,
      keep?: KeepGrant,
      identified?: (request: GrantRequest) => void
    ) => Effect.Effect<GrantedToken, OAuthError>
    /**
     * Begins an authorization on another device.
     *
     * @param keep as for `acquire`
     */
    readonly authorizeDevice: (
      request: GrantRequest,
      keep?: KeepGrant
    ) => Effect.Effect<DeviceAuthorization, OAuthError>
    /** Tells the authorization server to revoke a token (RFC 7009), if it has a revocation endpoint. */
    readonly revoke: (
      request: GrantRequest,
      token: OAuthToken
    ) => Effect.Effect<RevocationOutcome, OAuthError>
  }
>()("@secure-mcp/oauth-core/Grants") {}
