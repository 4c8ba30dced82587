import { makeOpenIdLogin, type OpenIdLogin } from "@secure-mcp/inbound-auth"
import { MtlsOAuthHttp } from "@secure-mcp/mtls"
import { StoredRegisteredClients } from "@secure-mcp/token-cache"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { GatewaySettings } from "../config/GatewaySettings.ts"
import {
  type IntrospectionSettings,
  issuersOfPeople,
  type JwtIssuerSettings
} from "../config/CallersSettings.ts"
import { PersonPages } from "../login/PersonPages.ts"

/** An issuer at which people log in with a browser. */
export interface CompanyLogin extends Pick<OpenIdLogin, "issuer" | "begin" | "complete"> {
  /** Whether they do: the configuration says so, or the issuer lets us register a client. */
  readonly isUsed: Effect.Effect<boolean>
}

/** The issuers of callers at which people log in with a browser, in their order. */
export class CompanyLogins extends Context.Service<
  CompanyLogins,
  {
    /** By their number in the configuration. */
    readonly all: ReadonlyMap<number, CompanyLogin>
    /** Those that are used now. */
    readonly used: Effect.Effect<ReadonlyArray<readonly [number: number, login: CompanyLogin]>>
  }
>()("@secure-mcp/gateway/CompanyLogins") {
  /** Also provides the `PersonPages` of their people, if there are any. */
  static readonly layer = (settings: GatewaySettings) =>
    Layer.effectContext(make(settings)).pipe(
      Layer.provide(StoredRegisteredClients.layer),
      Layer.provide(MtlsOAuthHttp.layer)
    )
}

const make = Effect.fnUntraced(function* (settings: GatewaySettings) {
  const { callers, publicUrl } = settings
  const all = new Map<number, CompanyLogin>()
  for (const [index, issuer] of issuersOfPeople(callers).entries()) {
    const isKnown = [...all.values()].some((login) => login.issuer === issuer.issuer)
    const login = isKnown ? undefined : yield* makeLogin(issuer, settings)
    if (login !== undefined) all.set(index, login)
  }
  const used = Effect.filter([...all], ([, { isUsed }]) => isUsed)
  const baseFor = Effect.fnUntraced(function* (issuer: string | undefined) {
    const login = [...all.values()].find((login) => login.issuer === issuer)
    return login !== undefined && (yield* login.isUsed) ? publicUrl : undefined
  })
  return Context.make(CompanyLogins, { all, used }).pipe(Context.add(PersonPages, { baseFor }))
})

const makeLogin = Effect.fnUntraced(function* (
  { groupsClaim, issuer, login }: JwtIssuerSettings | IntrospectionSettings,
  { authTimeoutSeconds, proxies, userAgent }: GatewaySettings
) {
  if (login === undefined) return undefined
  const { config, isConfigured, subjectClaim } = login
  const { isOffered, ...openId } = yield* makeOpenIdLogin(
    { config, groupsClaim, subjectClaim },
    { timeoutSeconds: authTimeoutSeconds, proxies, userAgent }
  )
  let known: boolean | undefined
  const find = isOffered.pipe(
    Effect.tap((offered) => {
      known = offered
      return offered
        ? Effect.void
        : Effect.logInfo(
            `Browsers do not log in at ${issuer}: its metadata does not offer a login with a client that registers itself. Set \`login.client_id\` of this issuer`
          )
    }),
    // Then the page of a login says what is wrong, and nobody gets by without it.
    Effect.orElseSucceed(() => true)
  )
  const isUsed = isConfigured
    ? Effect.succeed(true)
    : Effect.suspend(() => (known === undefined ? find : Effect.succeed(known)))
  return { ...openId, isUsed } satisfies CompanyLogin
})
