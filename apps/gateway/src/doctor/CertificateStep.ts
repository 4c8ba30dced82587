import { ClientCertificates } from "@secure-mcp/mtls"
import type { OAuthConfig } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import { failed, ok, type Step, warning } from "./Step.ts"

const renewEarly = Duration.days(30)

/** The client certificate and the authorities of a configuration; undefined if it names neither. */
export const certificateStep = Effect.fnUntraced(
  function* (config: OAuthConfig | undefined) {
    if (config === undefined || (!config.useMtls && config.caBundlePath === undefined)) return undefined
    const certificates = yield* ClientCertificates
    const expiry = yield* Ref.make<number | undefined>(undefined)
    yield* certificates.subscribe(config, ({ expiresAt }) => Ref.set(expiry, expiresAt))
    const { certificateThumbprint: thumbprint } = yield* certificates.connection(config)
    const expiresAt = yield* Ref.get(expiry)
    if (thumbprint === undefined || expiresAt === undefined)
      return ok("certificate", "no client certificate; `ca_bundle_path` says which servers are trusted")
    const until = DateTime.formatIso(DateTime.makeUnsafe(expiresAt))
    const message = `the client certificate ${thumbprint} (x5t#S256) is valid until ${until}`
    const facts = { thumbprint, expires_at: until }
    const remaining = expiresAt - (yield* Clock.currentTimeMillis)
    return remaining > Duration.toMillis(renewEarly)
      ? ok("certificate", message, facts)
      : warning("certificate", message, "Put a new one there soon; it is used without a restart", facts)
  },
  Effect.scoped,
  Effect.catchTag("CertificateUnusable", ({ key, message }) =>
    Effect.succeed<Step>(failed("certificate", message, `Check \`${key}\` and the file that it names`))
  )
)
