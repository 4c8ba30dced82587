import { type BrowserPage, escapeHtml, escapeValue, htmlPage, pagePolicy } from "../../login/BrowserPage.ts"
import { personPaths } from "../../login/PersonPaths.ts"
import { chosenName, clientName } from "./ChosenName.ts"
import { attributePath, type PagePaths } from "./PagePaths.ts"
import type { PersonView, ServerView, WaitingLogin } from "./PersonView.ts"
import * as Facts from "./ServerFacts.ts"
import { momentText, timeText } from "./TimeText.ts"

/** What one person has granted, with the forms by which they change it. Its forms may lead to this gateway only. */
export const mePage = (view: PersonView, paths: PagePaths): BrowserPage => ({
  status: 200,
  html: htmlPage("Your connections", content(view, paths), { header: header(view, paths), width: "wide" }),
  headers: { "content-security-policy": `${pagePolicy()}; form-action 'self'` }
})

const header = ({ formToken, isOperator, issuer, name }: PersonView, paths: PagePaths): string =>
  [
    `<p>Logged in as <strong>${chosenName(name)}</strong> <span class="quiet">at ${chosenName(issuer)}</span></p>`,
    ...(isOperator
      ? [`<p><a href="${attributePath(paths, personPaths.everyone)}">Everyone’s connections</a></p>`]
      : []),
    form(
      attributePath(paths, personPaths.logout),
      { form_token: formToken },
      `<button type="submit">Log out</button>`
    )
  ].join("\n")

const content = (view: PersonView, paths: PagePaths): string =>
  view.servers.length === 0
    ? "<p>There is no server that you may use here. Whoever runs this gateway decides which servers it has, and for whom.</p>"
    : `<p>MCP clients use these servers through this gateway. The gateway keeps the access tokens, and clients never see them.</p>
${view.servers.map((server) => section(server, view, paths)).join("\n")}
<p class="quiet">As of ${momentText(view.now)}. Load the page again to see what is new.</p>`

const section = (server: ServerView, view: PersonView, paths: PagePaths): string => `<section>
<h2>${chosenName(server.serverName)}</h2>
${(server.isPersonal ? personal : shared)(server, view, paths).join("\n")}
</section>`

/** A server at which nobody logs in. */
const shared = ({ activity, problem }: ServerView, { now }: PersonView): ReadonlyArray<string> => [
  `<p>You can use this server. It asks nobody to log in, so there is nothing to connect.</p>`,
  ...problemText(problem),
  list([["Last use", Facts.lastUseText(activity, now)], ...lastError(activity, now)])
]

const personal = (server: ServerView, view: PersonView, paths: PagePaths): ReadonlyArray<string> => {
  const { activity, grant, problem, waiting } = server
  const facts: ReadonlyArray<Facts.Fact> = [
    ...(grant === undefined ? [] : grantFacts(server, grant, view.now)),
    ["Last use", Facts.lastUseText(activity, view.now)],
    ...lastError(activity, view.now)
  ]
  return [
    `<p>${Facts.stateText(server, view.now)}${meaning(server, view.now)}</p>`,
    ...problemText(problem),
    list(facts),
    ...waitingLogins(waiting, view, paths),
    actions(server, view, paths)
  ]
}

const meaning = ({ activity, grant, problem }: ServerView, now: number): string => {
  if (grant === undefined)
    return problem === undefined ? ". This gateway has no access with your account." : "."
  if (Facts.hasEnded(grant, now))
    return ". Connect again if MCP clients are to use this server with your account."
  return activity.lastError === undefined
    ? ". MCP clients that you use with this gateway can use this server with your account."
    : ". The last attempt to get a token failed. If that goes on, connect again."
}

const grantFacts = (
  { activity }: ServerView,
  grant: NonNullable<ServerView["grant"]>,
  now: number
): ReadonlyArray<Facts.Fact> => [
  ["Scopes granted", Facts.scopesText(grant)],
  ["Asked for by", Facts.askedByText(activity)],
  ...Facts.tokenFacts(grant, now)
]

const lastError = (activity: ServerView["activity"], now: number): ReadonlyArray<Facts.Fact> =>
  activity.lastError === undefined ? [] : [["Last error", Facts.lastErrorText(activity, now)]]

const problemText = (problem: string | undefined): ReadonlyArray<string> =>
  problem === undefined ? [] : [`<p class="bad">${escapeHtml(problem)}</p>`]

const list = (facts: ReadonlyArray<Facts.Fact>): string =>
  `<dl>\n${facts.map(([label, html]) => `<dt>${label}</dt>\n<dd>${html}</dd>`).join("\n")}\n</dl>`

const waitingLogins = (
  waiting: ReadonlyArray<WaitingLogin>,
  { now }: PersonView,
  paths: PagePaths
): ReadonlyArray<string> => {
  if (waiting.length === 0) return []
  const links = waiting.map(
    ({ begunAt, client, path }) =>
      `<li><a href="${attributePath(paths, path)}">${clientName(client)} asked for access</a>, ${timeText(begunAt, now)}</li>`
  )
  return [`<h3>Waiting for your login</h3>\n<ul>\n${links.join("\n")}\n</ul>`]
}

/** Where the grant is not known, there may be one to end. */
const actions = ({ grant, problem, serverName }: ServerView, view: PersonView, paths: PagePaths): string => {
  const fields = { server: serverName, form_token: view.formToken }
  const act = (path: string, label: string, style: string) =>
    form(
      attributePath(paths, path),
      fields,
      `<button type="submit" class="${style}">${label}<span class="unseen"> ${chosenName(serverName)}</span></button>`
    )
  const hasAccess = grant !== undefined && !Facts.hasEnded(grant, view.now)
  const connect = act(
    personPaths.connect,
    grant === undefined ? "Connect" : "Connect again",
    hasAccess ? "guarded" : "main-action guarded"
  )
  const mayDisconnect = grant !== undefined || problem !== undefined
  const disconnect = mayDisconnect ? [act(personPaths.disconnect, "Disconnect", "guarded")] : []
  return `<div class="actions">\n${[connect, ...disconnect].join("\n")}\n</div>`
}

const form = (action: string, fields: Readonly<Record<string, string>>, button: string): string => {
  const hidden = Object.entries(fields).map(
    ([name, value]) => `<input type="hidden" name="${name}" value="${escapeValue(value)}">`
  )
  return `<form method="post" action="${action}">${hidden.join("")}${button}</form>`
}
