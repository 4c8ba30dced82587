import * as Effect from "effect/Effect"
import { type BrowserPage, escapeHtml, htmlPage, textPage } from "../../login/BrowserPage.ts"
import type { LoginLink } from "../../login/LoginLink.ts"
import { chosenName } from "./ChosenName.ts"

/** As `textPage`, with a way to what the person has granted, at the address `me`. */
export const textPageTo =
  (me: string) =>
  (status: number, headline: string, text = "There is no page at this address."): BrowserPage => ({
    status,
    html: htmlPage(
      headline,
      `<p>${escapeHtml(text)}</p>\n<p><a href="${escapeHtml(me)}">Your connections</a></p>`
    )
  })

/** The browser goes on to another address. */
export const redirect = (location: string, setCookie: ReadonlyArray<string> = []): BrowserPage => ({
  ...textPage(303, "Log in", "The browser goes on."),
  headers: { location, ...(setCookie.length === 0 ? {} : { "set-cookie": setCookie }) }
})

/** The store of the tokens is away, and with it who is logged in. */
export const storeAway = (message: string): Effect.Effect<BrowserPage> =>
  Effect.as(
    Effect.logWarning(`Whether a browser is logged in is not known: ${message}`),
    textPage(503, "Try again later", "The gateway cannot read or write its store now.")
  )

/** The link of a login that another person asked for. */
export const notForYou = (link: LoginLink, loggedInAs: string, asAnother: string): BrowserPage => ({
  status: 403,
  html: htmlPage(
    "This login is for another person",
    `<p>${name(link.subjectName ?? "Another person")} asked for access to ${name(link.serverName)}, and you are logged in as ${name(loggedInAs)}.
What you grant would be theirs. If somebody sent you this link, close this window.</p>
<p><a href="${escapeHtml(asAnother)}">I am this person: log in again</a></p>`
  )
})

/** The browser came back from a login at a server, and nobody is logged in here any more. */
export const withoutSession = (me: string): BrowserPage => ({
  status: 403,
  html: htmlPage(
    "Not logged in",
    `<p>Nobody is logged in to the gateway in this browser, so this login does not count. It still waits for you.</p>
<p><a href="${escapeHtml(me)}">Log in, and go on from there</a></p>`
  )
})

/** A form came from a page that was open longer than its person was logged in. */
export const sessionEnded = (login: string): BrowserPage => ({
  status: 403,
  html: htmlPage(
    "Not logged in",
    `<p>You are not logged in to the gateway any more, so nothing has changed.</p>
<p><a href="${escapeHtml(login)}">Log in, and try again</a></p>`
  )
})

export const loggedOut = (again: string, cookie: string): BrowserPage => ({
  status: 200,
  html: htmlPage(
    "Logged out",
    `<p>You are logged out of the gateway. At your company you may still be logged in.</p>
<p><a href="${escapeHtml(again)}">Log in again</a></p>`
  ),
  headers: { "set-cookie": [cookie] }
})

const name = (text: string): string => `<strong>${chosenName(text)}</strong>`
