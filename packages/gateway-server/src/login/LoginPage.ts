import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { type BrowserPage, escapeHtml, escapeValue, htmlPage, pagePolicy, textPage } from "./BrowserPage.ts"
import { isSecret, newSecret } from "./BrowserSecret.ts"
import { type BrowserCookies, cookieName, removeOthers, setCookie } from "./LoginCookie.ts"
import type { LoginLink } from "./LoginLink.ts"
import { linkLifetime, type LoginLinks, loginPath, urlOf } from "./LoginLinks.ts"

/** A browser that opens a link, or confirms its page. */
export interface LinkVisit {
  readonly id: string
  readonly method: "GET" | "POST"
  readonly cookies: BrowserCookies
  /** `Sec-Fetch-Site`, which all current browsers send (Fetch Metadata). */
  readonly fetchSite: string | undefined
  /** Of the address: with POST, what the form of the page has in it. */
  readonly parameters: URLSearchParams
}

/**
 * Answers at `/login/ID`. GET says who asked for access to which server, and sets the cookie that makes this browser the
 * one in which the login counts; it changes nothing else, because previews and scanners of messages open links, too. The
 * form of that page binds the link to the browser and leads on to the authorization server.
 */
export const makeLoginPage = (links: LoginLinks) =>
  Effect.gen(function* () {
    const random = yield* SecureRandom.SecureRandom
    return Effect.fnUntraced(function* (visit: LinkVisit): Effect.fn.Return<BrowserPage> {
      const link = yield* links.find(visit.id)
      if (link === undefined) return linkEnded
      if (link.base !== undefined) return { ...textPage(303, "Log in"), headers: { location: urlOf(link) } }
      const known = visit.cookies[cookieName(link)]
      if (!links.isFor(link, known)) return usedElsewhere
      if (visit.method === "POST") return yield* confirmed(links, link, visit, known)
      const secret = known !== undefined && isSecret(known) ? known : yield* newSecret(random)
      return {
        status: 200,
        html: loginQuestion(link, `${loginPath}${link.id}?confirm=${confirmationOf(secret)}`),
        headers: {
          "set-cookie": [
            setCookie(link, secret, linkLifetime),
            ...removeOthers(link, visit.cookies, links.neededCookies())
          ],
          ...mayLeadOn(link)
        }
      }
    })
  })

export type LoginPage = Effect.Success<ReturnType<typeof makeLoginPage>>

/** Nobody but our own page leads on: neither a form of another site, nor one of another port of this machine. */
const confirmed = Effect.fnUntraced(function* (
  links: LoginLinks,
  link: LoginLink,
  { fetchSite, parameters }: LinkVisit,
  secret: string | undefined
): Effect.fn.Return<BrowserPage> {
  if (secret === undefined) return noCookie
  const isOurForm = parameters.get("confirm") === confirmationOf(secret)
  if (!isOurForm || (fetchSite !== undefined && fetchSite !== "same-origin")) return notOurForm
  yield* links.confirm(link, secret)
  return {
    ...textPage(303, "Log in", "The browser goes on to the login."),
    headers: { location: link.authorizationUrl }
  }
})

/** Another page can neither read the cookie nor make this of it. */
const confirmationOf = (secret: string): string =>
  createHash("sha256").update(`confirm ${secret}`).digest("base64url")

/**
 * The question of a link: who asked for access to what, and whether this person wants to go on.
 *
 * @param action where the form leads
 * @param hidden what it sends besides
 */
export const loginQuestion = (
  link: LoginLink,
  action: string,
  hidden: Readonly<Record<string, string>> = {}
): string => {
  const server = strong(link.serverName)
  const name = link.subjectName ?? link.subject
  const who = name === undefined ? "whoever asked" : strong(name)
  const asked =
    name === undefined
      ? `Somebody asked this gateway for access to the server ${server}. The gateway does not know who, because it has no API keys.`
      : `${who} asked this gateway for access to the server ${server}.`
  const by = link.client === undefined ? "" : ` The client calls itself ${strong(link.client)}.`
  return htmlPage(
    `Access to ${link.serverName}`,
    `<p>${asked}${by}</p>
<p>If you go on and log in at ${strong(new URL(link.authorizationUrl).host)}, ${who} can use ${server} with your account.</p>
<p>Go on only if you asked for this yourself. If somebody sent you this link, close this window.</p>
<form method="post" action="${escapeHtml(action)}">
${hiddenFields(hidden)}<button type="submit" class="main-action guarded">I asked for this: go on</button>
</form>`
  )
}

/** The fields of a form that are not shown. */
export const hiddenFields = (fields: Readonly<Record<string, string>>): string =>
  Object.entries(fields)
    .map(
      ([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeValue(value)}">\n`
    )
    .join("")

/** Browsers apply `form-action` to every redirect after the form, and logins pass through several sites. */
export const mayLeadOn = ({ authorizationUrl }: LoginLink) => ({
  "content-security-policy": `${pagePolicy()}; form-action 'self' https: ${new URL(authorizationUrl).origin}`
})

/** In `bdi`, so that a name that is written from right to left turns no other word around. */
const strong = (text: string): string => `<strong><bdi>${escapeHtml(text)}</bdi></strong>`

const askAgain = "Ask your MCP client for the login again, and open the link it shows then."

export const linkEnded = textPage(
  404,
  "No login here",
  `This link has been used, is older than ten minutes, or never was one. ${askAgain}`
)

const usedElsewhere = textPage(
  403,
  "Link used in another browser",
  `A link is good for one browser, and another one has gone on with this. ${askAgain}`
)

const noCookie = textPage(
  403,
  "No cookie",
  "This browser did not send the cookie of the page. Allow cookies for this address, and open the link again."
)

export const notOurForm = textPage(
  403,
  "Not from our page",
  "Another page made this browser go on. If you asked for the login yourself, open the link of the gateway again."
)
