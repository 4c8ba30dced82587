import type { OpenIdLoginFailed } from "@secure-mcp/inbound-auth"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type BrowserPage, escapeHtml, htmlPage, sentence, textPage } from "../login/BrowserPage.ts"
import { isSecret, newSecret } from "../login/BrowserSecret.ts"
import type { BrowserCookies } from "../login/LoginCookie.ts"
import { personPaths, personUrl } from "../login/PersonPaths.ts"
import type { BrowserSessions } from "./BrowserSessions.ts"
import { type CompanyLogin, CompanyLogins } from "./CompanyLogins.ts"
import { redirect, storeAway } from "./pages/SmallPages.ts"
import { personCookie } from "./PersonCookie.ts"

/** Where a browser goes when its person has logged in. */
export type Destination = { readonly link: string } | "me" | "everyone"

/** How the login of a browser begins. */
interface Begin {
  readonly destination: Destination
  /** The number of the issuer; undefined: the only one, or the person chooses. */
  readonly issuer?: number | undefined
  /** "none" asks nothing of a person who is logged in at the company already. */
  readonly prompt?: "none" | "login" | undefined
}

/** What a browser remembers of a login at the company while it is there. */
interface UnderWay {
  readonly issuer: number
  readonly prompt: "none" | "login" | undefined
  readonly destination: Destination
  readonly secret: Redacted.Redacted
}

/** A person may have to find a second factor. */
const longestLogin = Duration.minutes(30)

/** Logins of one browser that are under way at the same time, as in several tabs. */
const mostUnderWay = 8

/**
 * Browsers that log in at the company: `/me/login` and its callback.
 *
 * @param operatorScopes asked for where a person wants to see everyone
 */
export const makeCompanyVisits = Effect.fnUntraced(function* (
  publicUrl: string,
  sessions: BrowserSessions,
  operatorScopes: ReadonlyArray<string>
) {
  const random = yield* SecureRandom.SecureRandom
  const logins = yield* CompanyLogins
  /** Each login has a cookie of its own, so that several can be under way in one browser. The name shows 48 bits of the `state`. */
  const cookieOf = (state: string | null) =>
    personCookie(`${cookiePrefix}${(state ?? "").slice(0, 8).replaceAll(/[^\w-]/g, "")}`, publicUrl)
  const anyLogin = personCookie(cookiePrefix, publicUrl)
  const redirectUri = personUrl(publicUrl, personPaths.loginCallback)

  const beginAt = Effect.fnUntraced(
    function* (
      [issuer, login]: readonly [number, CompanyLogin],
      { destination, prompt }: Begin,
      cookies: BrowserCookies
    ) {
      const secret = Redacted.make(yield* newSecret(random))
      const scopes = destination === "everyone" ? operatorScopes : []
      const location = yield* login.begin({ redirectUri, secret }, { prompt, scopes })
      const cookie = cookieOf(new URL(location).searchParams.get("state"))
      const remembered = cookie.write(encode({ issuer, prompt, destination, secret }), longestLogin)
      const others = anyLogin.removeAll(cookies)
      return redirect(location, [remembered, ...(others.length < mostUnderWay ? [] : others)])
    },
    Effect.catch((failure) => failed(failure))
  )

  const begin = Effect.fnUntraced(function* (
    wish: Begin,
    cookies: BrowserCookies
  ): Effect.fn.Return<BrowserPage> {
    const used = yield* logins.used
    const [only] = used
    const chosen = used.length === 1 ? only : used.find(([issuer]) => issuer === wish.issuer)
    if (only === undefined) return nobodyLogsIn
    return chosen === undefined ? choice(publicUrl, used, wish) : yield* beginAt(chosen, wish, cookies)
  })

  return {
    begin,

    /** Where the company sends the browser back to. */
    complete: Effect.fnUntraced(function* (parameters: URLSearchParams, cookies: BrowserCookies) {
      const cookie = cookieOf(parameters.get("state"))
      const underWay = decode(cookie.read(cookies))
      const login = underWay && logins.all.get(underWay.issuer)
      if (underWay === undefined || login === undefined) return beganElsewhere(publicUrl)
      const { destination, issuer, prompt, secret } = underWay
      return yield* login.complete({ redirectUri, secret }, parameters).pipe(
        Effect.flatMap((caller) => sessions.begin(caller, destination === "everyone")),
        // Of the one before, a copy may be somewhere.
        Effect.tap(sessions.end(cookies)),
        Effect.map((session) => redirect(urlOf(publicUrl, destination), [session, cookie.remove()])),
        Effect.catchTags({
          OpenIdLoginFailed: (failure) =>
            failure.reason === "PersonRequired" && prompt === "none"
              ? Effect.map(begin({ destination, issuer }, cookies), (page) =>
                  withCookie(page, cookie.remove())
                )
              : failed(failure, publicUrl),
          StoreUnavailable: ({ message }) => storeAway(message)
        })
      )
    })
  }
})

const cookiePrefix = "secure_mcp_company_login_"

export type CompanyVisits = Effect.Success<ReturnType<typeof makeCompanyVisits>>

/** The address of a destination. */
export const urlOf = (publicUrl: string, destination: Destination): string =>
  personUrl(
    publicUrl,
    typeof destination === "string" ? personPaths[destination] : personPaths.link + destination.link
  )

/** Where the login of a browser begins. */
export const loginUrl = (publicUrl: string, { destination, issuer, prompt }: Begin): string => {
  const query = new URLSearchParams({
    ...(destination === "me" ? {} : { to: destinationText(destination) }),
    ...(issuer === undefined ? {} : { at: String(issuer) }),
    ...(prompt === undefined ? {} : { prompt })
  })
  return `${personUrl(publicUrl, personPaths.login)}${query.size === 0 ? "" : `?${query}`}`
}

/** What `loginUrl` has said. Only pages of ours can be a destination. */
export const readBegin = (parameters: URLSearchParams): Begin => {
  const at = parameters.get("at") ?? ""
  const prompt = parameters.get("prompt")
  return {
    destination: readDestination(parameters.get("to") ?? "me") ?? "me",
    ...(/^\d{1,3}$/.test(at) ? { issuer: Number(at) } : {}),
    ...(prompt === "none" || prompt === "login" ? { prompt } : {})
  }
}

const destinationText = (destination: Destination): string =>
  typeof destination === "string" ? destination : destination.link

const readDestination = (text: string): Destination | undefined =>
  text === "me" || text === "everyone" ? text : isSecret(text) ? { link: text } : undefined

const encode = ({ destination, issuer, prompt, secret }: UnderWay): string =>
  [issuer, prompt ?? "-", destinationText(destination), Redacted.value(secret)].join(".")

const decode = (text = ""): UnderWay | undefined => {
  const [issuer = "", prompt, to = "", secret = ""] = text.split(".")
  const destination = readDestination(to)
  return /^\d{1,3}$/.test(issuer) && destination !== undefined && isSecret(secret)
    ? {
        issuer: Number(issuer),
        prompt: prompt === "none" || prompt === "login" ? prompt : undefined,
        destination,
        secret: Redacted.make(secret)
      }
    : undefined
}

const withCookie = (page: BrowserPage, cookie: string): BrowserPage => ({
  ...page,
  headers: { ...page.headers, "set-cookie": [...[page.headers?.["set-cookie"] ?? []].flat(), cookie] }
})

const failed = ({ message, reason }: OpenIdLoginFailed, publicUrl?: string): Effect.Effect<BrowserPage> => {
  const again =
    publicUrl === undefined
      ? ""
      : `<p><a href="${escapeHtml(loginUrl(publicUrl, { destination: "me" }))}">Log in again</a></p>`
  const isOurs = reason === "Unavailable"
  const page: BrowserPage = {
    status: isOurs ? 503 : 403,
    html: htmlPage(
      "Not logged in",
      `<p>${escapeHtml(isOurs ? "The login of your company cannot be reached now, or the gateway is not configured for it. Try again later. The log of the gateway tells its operator the reason." : sentence(message))}</p>${again}`
    )
  }
  return Effect.as(
    isOurs
      ? Effect.logWarning(`A browser cannot log in at the company: ${message}`)
      : Effect.logInfo(`A browser did not log in at the company: ${message}`),
    page
  )
}

const nobodyLogsIn = textPage(
  404,
  "Nobody logs in here",
  "This gateway has no login for browsers: it needs an issuer in gateway.callers at which it has a client (login.client_id)."
)

const beganElsewhere = (publicUrl: string): BrowserPage => ({
  status: 403,
  html: htmlPage(
    "Not logged in",
    `<p>This browser has not begun this login, or too long ago, or does not keep cookies.</p>
<p><a href="${escapeHtml(loginUrl(publicUrl, { destination: "me" }))}">Log in</a></p>`
  )
})

const choice = (
  publicUrl: string,
  used: ReadonlyArray<readonly [number, CompanyLogin]>,
  wish: Begin
): BrowserPage => ({
  status: 200,
  html: htmlPage(
    "Log in",
    `<p>Where do you log in?</p>
<ul>${used
      .map(
        ([issuer, login]) =>
          `<li><a href="${escapeHtml(loginUrl(publicUrl, { ...wish, issuer }))}"><bdi>${escapeHtml(login.issuer)}</bdi></a></li>`
      )
      .join("")}</ul>`
  )
})
