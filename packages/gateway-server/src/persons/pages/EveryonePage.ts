import { type BrowserPage, escapeHtml, htmlPage } from "../../login/BrowserPage.ts"
import { personPaths } from "../../login/PersonPaths.ts"
import { chosenName } from "./ChosenName.ts"
import { attributePath, type PagePaths } from "./PagePaths.ts"
import type { EveryoneView, OtherPersonView } from "./PersonView.ts"
import * as Facts from "./ServerFacts.ts"
import { momentText } from "./TimeText.ts"

/** What all persons have granted, for operators. It changes nothing, and has no form. */
export const everyonePage = (view: EveryoneView, paths: PagePaths): BrowserPage => ({
  status: 200,
  html: htmlPage("Everyone’s connections", content(view), {
    header: `<p><a href="${attributePath(paths, personPaths.me)}">Your connections</a></p>`,
    width: "widest"
  })
})

const content = ({ isCut, now, persons }: EveryoneView): string => {
  if (persons.length === 0) {
    return "<p>Nobody is known here yet: no person has opened their page or connected a server.</p>"
  }
  const cut = isCut
    ? `\n<p><strong>Not all persons are shown.</strong> There are more than the ${persons.length} in this table.</p>`
    : ""
  return `<p>What each person has connected. They change it on a page of their own.</p>${cut}
<div class="scroll" role="region" aria-label="Connections of each person" tabindex="0">
<table>
<thead><tr>${columns.map((label) => `<th scope="col"${label === "Token" ? ' class="two-facts"' : ""}>${label}</th>`).join("")}</tr></thead>
${persons.map((person) => rows(person, now)).join("\n")}
</table>
</div>
<p class="quiet">As of ${momentText(now)}. Load the page again to see what is new.</p>`
}

const columns = ["Server", "State", "Scopes granted", "Token", "Last use", "Last error", "Asked for by"]

/** A heading in the table: by headings, people who do not see it go from person to person. */
const rows = (person: OtherPersonView, now: number): string => {
  const whole = (html: string, row = "") => `<tr${row}><td colspan="${columns.length}">${html}</td></tr>`
  const servers = person.servers.map((server) => row(server, now))
  return `<tbody>
${whole(`<h2>${who(person)}</h2>`, ' class="person"')}
${servers.length === 0 ? whole("No server") : servers.join("\n")}
</tbody>`
}

const who = ({ issuer, name, person }: OtherPersonView): string => {
  const key = `<code><bdi>${escapeHtml(person)}</bdi></code>`
  if (name === undefined) return key
  const at = issuer === undefined ? "" : ` at ${chosenName(issuer)}`
  return `${chosenName(name)}<span class="quiet">${at}, ${key}</span>`
}

const row = (server: OtherPersonView["servers"][number], now: number): string => {
  const { activity, grant, problem, serverName } = server
  const why = problem === undefined ? "" : `<br>${escapeHtml(problem)}`
  const token = grant === undefined ? [] : Facts.tokenFacts(grant, now)
  const none = problem === undefined ? "None" : "Not known now"
  const cells = [
    `${Facts.stateText(server, now)}${why}`,
    grant === undefined ? none : Facts.scopesText(grant),
    token.length === 0 ? none : token.map(([label, html]) => `${label}: ${html}`).join("<br>"),
    Facts.lastUseText(activity, now),
    Facts.lastErrorText(activity, now),
    Facts.askedByText(activity)
  ]
  return `<tr><th scope="row">${chosenName(serverName)}</th>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`
}
