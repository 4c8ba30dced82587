import * as Effect from "effect/Effect"
import type { OAuthEvents } from "./OAuthEvents.ts"
import type { OAuthConnection } from "./OAuthHttp.ts"

/**
 * Tells the listener which certificate a server's connections present, when it is seen first and when it is another
 * one. Asked on every request, so what was said before costs one look.
 */
export const makeCertificateNotice = (events: (typeof OAuthEvents)["Service"]) => {
  const said = new Map<string, number>()
  return (
    serverName: string,
    { certificateExpiresAt: expiresAt }: Pick<OAuthConnection, "certificateExpiresAt">
  ): Effect.Effect<void> => {
    if (expiresAt === undefined || said.get(serverName) === expiresAt) return Effect.void
    said.set(serverName, expiresAt)
    return events.publish({ _tag: "CertificateInUse", serverName, expiresAt })
  }
}
