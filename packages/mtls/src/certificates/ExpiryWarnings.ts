import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type ClientCertificate, isoDate } from "./ClientCertificate.ts"

/** Warns of a certificate that expires soon, at most once a day, however often it is called. */
export const makeExpiryWarnings = (words: ExpiryWords = ofClient) => {
  const warnedAt = new Map<string, number>()
  return Effect.fnUntraced(function* (certificate: ClientCertificate | undefined) {
    if (certificate === undefined) return
    const { expiresAt, file, thumbprint } = certificate
    const now = yield* Clock.currentTimeMillis
    if (expiresAt - now > Duration.toMillis(warningTime)) return
    // The same certificate in two files has to be replaced twice.
    const warned = `${thumbprint} ${file.path}`
    const last = warnedAt.get(warned)
    if (last !== undefined && now - last < aDay) return
    warnedAt.set(warned, now)
    yield* Effect.logWarning(warning(certificate, now, words))
  })
}

/** What a warning says of the certificate. */
export interface ExpiryWords {
  /** With the article. */
  readonly certificate: string
  /** What happens once it has expired. */
  readonly consequence: string
}

const ofClient: ExpiryWords = { certificate: "The client certificate", consequence: "is not used" }

const warning = (
  { expiresAt, file }: ClientCertificate,
  now: number,
  { certificate, consequence }: ExpiryWords
): string => {
  const days = Math.floor((expiresAt - now) / aDay)
  const when =
    expiresAt < now
      ? `expired on ${isoDate(expiresAt)} and ${consequence}`
      : `expires on ${isoDate(expiresAt)}, in ${days === 0 ? "less than a day" : days === 1 ? "1 day" : `${days} days`}`
  return `${certificate} in ${file.path} (\`${file.key}\`) ${when}. Put a new one there; it is used without a restart`
}

const warningTime = Duration.days(14)

const aDay = Duration.toMillis(Duration.days(1))
