import { escapeHtml } from "../../login/BrowserPage.ts"
import type { Activity } from "../../status/PersonActivity.ts"
import { clientName } from "./ChosenName.ts"
import type { GrantView, ServerView } from "./PersonView.ts"
import { timeText } from "./TimeText.ts"

/** Something that is known about a server: what it is, and the HTML that says it. */
export type Fact = readonly [label: string, html: string]

/** What is known about a grant and the use of it, whoever may see it. */
export type KnownServer = Pick<ServerView, "activity" | "grant" | "problem">

/** Where a person stands at a server, in two or three words. */
export const stateText = ({ activity, grant, problem }: KnownServer, now: number): string => {
  if (grant === undefined)
    return problem === undefined ? state("Not connected") : state("Not known now", "bad")
  if (hasEnded(grant, now)) return state("Access has ended", "bad")
  if (activity.lastError !== undefined) return state("Connected, with an error", "bad")
  return state("Connected", "good")
}

const state = (text: string, kind = "quiet"): string => `<span class="state ${kind}">${text}</span>`

/** Nothing renews the token, and its time is over. */
export const hasEnded = ({ expiresAt, renewsAt }: GrantView, now: number): boolean =>
  renewsAt === undefined && expiresAt !== undefined && expiresAt <= now

export const scopesText = ({ scopes }: GrantView): string => {
  if (scopes === undefined) return "The server did not say"
  if (scopes.length === 0) return "None"
  const items = scopes.map((scope) => `<li><code><bdi>${escapeHtml(scope)}</bdi></code></li>`)
  return `<ul class="scopes">${items.join("")}</ul>`
}

/** When the access token came, and when it is renewed or ends. */
export const tokenFacts = (grant: GrantView, now: number): ReadonlyArray<Fact> => [
  ["Token obtained", timeText(grant.issuedAt, now)],
  endOf(grant, now)
]

const endOf = (grant: GrantView, now: number): Fact => {
  const { expiresAt, renewsAt } = grant
  if (renewsAt !== undefined) {
    return [renewsAt > now ? "Next renewal" : "Renewal was due", timeText(renewsAt, now)]
  }
  if (expiresAt === undefined) return ["Access ends", "Not by itself"]
  return [hasEnded(grant, now) ? "Access ended" : "Access ends", timeText(expiresAt, now)]
}

export const lastUseText = ({ lastUseAt }: Activity, now: number): string =>
  lastUseAt === undefined ? "Not since the gateway was started" : timeText(lastUseAt, now)

export const lastErrorText = ({ lastError }: Activity, now: number): string =>
  lastError === undefined
    ? "None"
    : `<code>${escapeHtml(lastError.reason)}</code>, ${timeText(lastError.at, now)}`

/** Who asked for the last login. */
export const askedByText = ({ askedBy }: Activity): string =>
  askedBy === undefined ? "Not known" : clientName(askedBy)
