import { call } from "./McpCall.ts"

/** An answer to a browser, and what it keeps of it. */
export interface Page {
  readonly status: number
  readonly text: string
  /** The cookies that it set, as the browser sends them from now on. */
  readonly cookie: string
  readonly location: string | undefined
}

export const visit = async (url: string, init: RequestInit = {}): Promise<Page> => {
  const answer = await fetch(url, { redirect: "manual", ...init })
  return {
    status: answer.status,
    text: await answer.text(),
    cookie: answer.headers
      .getSetCookie()
      .map((cookie) => cookie.split(";")[0])
      .join("; "),
    location: answer.headers.get("location") ?? undefined
  }
}

/** The link that a person without a grant is shown. */
export const linkOf = async (mcpUrl: string, key: string): Promise<string> => {
  const { body, status } = await call(mcpUrl, { key })
  const [, link] = /"authorization_url":"([^"]+)"/.exec(body) ?? []
  if (link === undefined) throw new Error(`The gateway did not ask for a login: HTTP ${status} ${body}`)
  return link
}

/** Opens a link and presses its button; gives where the browser is sent and the cookie it has. */
export const confirm = async (link: string) => {
  const page = await visit(link)
  const [, action] = /<form method="post" action="([^"]*)"/.exec(page.text) ?? []
  if (action === undefined) throw new Error(`The link has no form: HTTP ${page.status}`)
  const { location, status } = await visit(new URL(action, link).href, {
    method: "POST",
    headers: { cookie: page.cookie }
  })
  if (location === undefined) throw new Error(`The form leads nowhere: HTTP ${status}`)
  return { cookie: page.cookie, authorizationUrl: location }
}

/** The address that the authorization server sends the browser back to. */
export const authorize = async (authorizationUrl: string): Promise<string> => {
  const { location, status } = await visit(authorizationUrl)
  if (location === undefined) throw new Error(`The authorization server did not redirect: HTTP ${status}`)
  return location
}

/** A person logs in, in one browser. */
export const logIn = async (mcpUrl: string, key: string): Promise<void> => {
  const { authorizationUrl, cookie } = await confirm(await linkOf(mcpUrl, key))
  const { status, text } = await visit(await authorize(authorizationUrl), { headers: { cookie } })
  if (status !== 200) throw new Error(`The login failed: HTTP ${status} ${text}`)
}
