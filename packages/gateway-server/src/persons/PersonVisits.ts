import { type AccessTokenRequest, OAuthService } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import type { GatewaySettings } from "../config/GatewaySettings.ts"
import { type BrowserPage, sentence } from "../login/BrowserPage.ts"
import { ending } from "../login/CallbackListener.ts"
import type { BrowserCookies } from "../login/LoginCookie.ts"
import type { LoginLink } from "../login/LoginLink.ts"
import { linkEnded, loginQuestion, mayLeadOn, notOurForm } from "../login/LoginPage.ts"
import { Logins } from "../login/Logins.ts"
import { personPaths } from "../login/PersonPaths.ts"
import { type BrowserSession, isFormToken, makeBrowserSessions } from "./BrowserSessions.ts"
import { type Destination, loginUrl, makeCompanyVisits, readBegin, urlOf } from "./CompanyVisits.ts"
import { everyonePage } from "./pages/EveryonePage.ts"
import { mePage } from "./pages/MePage.ts"
import { makePersonServers } from "./PersonServers.ts"
import {
  loggedOut,
  notForYou,
  redirect,
  sessionEnded,
  storeAway,
  textPageTo,
  withoutSession
} from "./pages/SmallPages.ts"

/** A browser that opens a page of a person, or sends a form of one. */
export interface PersonVisit {
  readonly method: "GET" | "POST"
  /** Below the public URL. */
  readonly path: string
  readonly parameters: URLSearchParams
  readonly cookies: BrowserCookies
  /** `Sec-Fetch-Site`, which all current browsers send (Fetch Metadata). */
  readonly fetchSite: string | undefined
  /** What a form has in it. */
  readonly form: URLSearchParams
}

/** Answers at the paths of `personPaths`. */
export const makePersonVisits = Effect.fnUntraced(function* (settings: GatewaySettings, publicUrl: string) {
  const logins = yield* Logins
  const oauth = yield* OAuthService
  const sessions = yield* makeBrowserSessions(publicUrl)
  const operatorScopes = settings.callers?.admin.scopes ?? []
  const company = yield* makeCompanyVisits(publicUrl, sessions, operatorScopes)
  const prefix = new URL(publicUrl).pathname.replace(/\/+$/, "")
  const servers = yield* makePersonServers(settings, sessions)
  const page = textPageTo(urlOf(publicUrl, "me"))
  const nothingToConnect = page(
    404,
    "Nothing to connect",
    "The gateway has no server of this name at which you log in."
  )
  const notOperator = page(
    403,
    "Not for you",
    "This page is for operators: gateway.callers.admin names who they are."
  )
  const failed = (headline: string, message: string): Effect.Effect<BrowserPage> =>
    Effect.as(Effect.logWarning(message), page(502, headline, sentence(message)))

  /**
   * Only for a person who is logged in: others log in first, and come back. After a form they are asked to, because a page's policy
   * lets no form lead to the company, not even by a redirect.
   */
  const asPerson = (
    { cookies, method }: PersonVisit,
    destination: Destination,
    answer: (session: BrowserSession) => Effect.Effect<BrowserPage>
  ): Effect.Effect<BrowserPage> =>
    sessions.find(cookies).pipe(
      Effect.flatMap((session) =>
        session === undefined ? Effect.succeed(toLogin(method, destination)) : answer(session)
      ),
      Effect.catch(({ message }) => storeAway(message))
    )

  const toLogin = (method: PersonVisit["method"], destination: Destination): BrowserPage => {
    const login = loginUrl(publicUrl, { destination, prompt: "none" })
    return method === "GET" ? redirect(login) : sessionEnded(login)
  }

  /** Only for a form of a page that this person has opened. */
  const asForm = (
    visit: PersonVisit,
    answer: (session: BrowserSession) => Effect.Effect<BrowserPage>,
    destination: Destination = "me"
  ): Effect.Effect<BrowserPage> =>
    asPerson(visit, destination, (session) => {
      const { fetchSite, form } = visit
      const isOurs = isFormToken(session, form.get("form_token") ?? undefined)
      return isOurs && (fetchSite === undefined || fetchSite === "same-origin")
        ? answer(session)
        : Effect.succeed(notOurForm)
    })

  const openLink = Effect.fnUntraced(function* (visit: PersonVisit, id: string) {
    const link = yield* logins.findLink(id)
    if (link?.base === undefined) return linkEnded
    const answer = (next: (session: BrowserSession) => BrowserPage) => (session: BrowserSession) =>
      Effect.succeed(
        link.subject === session.person
          ? next(session)
          : notForYou(link, session.caller.subject, otherPerson(link))
      )
    return visit.method === "POST"
      ? yield* asForm(
          visit,
          answer(() => redirect(link.authorizationUrl)),
          { link: id }
        )
      : yield* asPerson(
          visit,
          { link: id },
          answer((session) => question(link, session))
        )
  })

  const otherPerson = ({ id }: LoginLink): string =>
    loginUrl(publicUrl, { destination: { link: id }, prompt: "login" })

  const question = (link: LoginLink, { formToken }: BrowserSession): BrowserPage => ({
    status: 200,
    html: loginQuestion(link, `${prefix}${personPaths.link}${link.id}`, { form_token: formToken }),
    headers: mayLeadOn(link)
  })

  /** Where logins at MCP servers come back to. */
  const complete = (visit: PersonVisit): Effect.Effect<BrowserPage> =>
    sessions.find(visit.cookies).pipe(
      Effect.flatMap((session) =>
        session === undefined
          ? Effect.succeed(withoutSession(urlOf(publicUrl, "me")))
          : ending(logins.completeAs(session.person, visit.parameters), page)
      ),
      Effect.catch(({ message }) => storeAway(message))
    )

  const connect = (visit: PersonVisit) =>
    asForm(visit, (session) => {
      const request = servers.requestToConnect(visit.form.get("server") ?? "", session)
      return request === undefined
        ? Effect.succeed(nothingToConnect)
        : logins.begin(request).pipe(
            Effect.map((link) => redirect(link)),
            Effect.catch(({ message }) => failed("Not connected", message))
          )
    })

  /** Whether the gateway still has a grant, or cannot say that it has not. */
  const isKept = (request: AccessTokenRequest): Effect.Effect<boolean> =>
    oauth.find(request).pipe(
      Effect.map((token) => token !== undefined),
      Effect.orElseSucceed(() => true)
    )

  const disconnect = (visit: PersonVisit) =>
    asForm(visit, (session) => {
      const request = servers.requestOf(visit.form.get("server") ?? "", session)
      return request === undefined
        ? Effect.succeed(nothingToConnect)
        : oauth.revoke(request).pipe(
            Effect.tap(Effect.logInfo(`A person has taken back the grant to "${request.serverName}"`)),
            Effect.as(redirect(urlOf(publicUrl, "me"))),
            Effect.catch(({ message }) =>
              Effect.flatMap(isKept(request), (kept) =>
                failed(kept ? "Not disconnected" : "Disconnected here only", message)
              )
            )
          )
    })

  const logOut = (visit: PersonVisit) =>
    asForm(visit, () =>
      sessions.end(visit.cookies).pipe(
        Effect.map((cookie) =>
          loggedOut(loginUrl(publicUrl, { destination: "me", prompt: "login" }), cookie)
        ),
        Effect.catch(({ message }) => storeAway(message))
      )
    )

  const everyone = (visit: PersonVisit) =>
    asPerson(visit, "everyone", (session) =>
      servers.isOperator(session)
        ? servers.ofEveryone.pipe(
            Effect.map((view) => everyonePage(view, { prefix })),
            Effect.catch(({ message }) => storeAway(message))
          )
        : Effect.succeed(
            operatorScopes.length > 0 && !session.isAskedAsOperator
              ? redirect(loginUrl(publicUrl, { destination: "everyone", prompt: "none" }))
              : notOperator
          )
    )

  const gets: Readonly<Record<string, (visit: PersonVisit) => Effect.Effect<BrowserPage>>> = {
    [personPaths.me]: (visit) =>
      asPerson(visit, "me", (session) => Effect.map(servers.of(session), (view) => mePage(view, { prefix }))),
    [personPaths.everyone]: everyone,
    [personPaths.login]: ({ cookies, parameters }) => company.begin(readBegin(parameters), cookies),
    [personPaths.loginCallback]: ({ cookies, parameters }) => company.complete(parameters, cookies),
    [personPaths.callback]: complete
  }
  const posts: Readonly<Record<string, (visit: PersonVisit) => Effect.Effect<BrowserPage>>> = {
    [personPaths.connect]: connect,
    [personPaths.disconnect]: disconnect,
    [personPaths.logout]: logOut
  }

  return (visit: PersonVisit): Effect.Effect<BrowserPage> => {
    const { method, path } = visit
    if (path.startsWith(personPaths.link)) return openLink(visit, path.slice(personPaths.link.length))
    return (method === "GET" ? gets : posts)[path]?.(visit) ?? Effect.succeed(page(404, "Nothing here"))
  }
})
