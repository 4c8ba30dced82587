import { type Challenge, OAuthService, type OAuthToken } from "@secure-mcp/oauth-core"
import { TokenInjector } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { ClientRuntime } from "./ClientRuntime.ts"
import type { ClientSettings } from "./OAuthClientOptions.ts"

/** Where a client has its `SdkSupport`: under a symbol, because it is for the adapters in `mcp/` and for nobody else. */
export const sdkSupport: unique symbol = Symbol("@secure-mcp/oauth-client/sdkSupport")

/** What the adapters need besides the client itself. */
export interface SdkSupport {
  /** Where a browser returns to after a login; undefined if the grant is not given in a browser. */
  readonly redirectUri: string | undefined
  /**
   * Replaces the token that the MCP server refused, or obtains the first one.
   *
   * @param refused undefined if none was sent
   * @param scope what the server demanded; if the token has it, the token itself was refused
   */
  readonly replace: (refused: string | undefined, scope: string | undefined) => Promise<void>
  /** Begins a login that asks for this scope, too. */
  readonly authorize: (scope: string | undefined) => Promise<URL>
}

/** Makes it for one client. */
export const makeSdkSupport = (
  { config, request }: ClientSettings,
  run: ClientRuntime["run"],
  authorize: SdkSupport["authorize"]
): SdkSupport => ({
  authorize,
  redirectUri: config.grantType === "authorization_code" ? config.redirectUri : undefined,
  replace: (refused, scope) =>
    run(
      Effect.gen(function* () {
        const { token } = yield* OAuthService.use((oauth) => oauth.getAccessToken(request))
        if (refused === undefined || !token.isAccessToken(Redacted.make(refused))) return
        const injector = yield* TokenInjector
        yield* injector.replace(request, token.accessToken, demandOf(token, scope))
      })
    )
})

const demandOf = ({ scope: granted = [] }: OAuthToken, scope: string | undefined): Challenge | undefined => {
  const isMissing = scope?.split(" ").some((name) => name !== "" && !granted.includes(name))
  return isMissing === true ? { error: "insufficient_scope", scope, resourceMetadata: undefined } : undefined
}
