import * as Effect from "effect/Effect"

/** The page on which a login ended. */
export interface LastPage {
  readonly status: number
  readonly text: string
}

/** More pages and redirects than any login has. */
const mostSteps = 20

/**
 * Opens the link of a login as the browser of a person who asked for it and agrees: follows every redirect, with cookies,
 * and presses the button of a page that has one.
 */
export const openInBrowser = (link: string): Effect.Effect<LastPage> =>
  Effect.promise(async () => {
    const cookies = new Map<string, ReadonlyMap<string, string>>()
    let url = link
    let method = "GET"
    for (let step = 0; step < mostSteps; step += 1) {
      const { hostname } = new URL(url)
      const jar = cookies.get(hostname) ?? new Map<string, string>()
      const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ")
      const answer = await fetch(url, {
        method,
        redirect: "manual",
        headers: cookie === "" ? {} : { cookie }
      })
      cookies.set(hostname, new Map([...jar, ...answer.headers.getSetCookie().map(nameAndValue)]))
      const location = answer.headers.get("location")
      const page = await answer.text()
      const next = location ?? buttonOf(page)
      if (next === undefined) return { status: answer.status, text: readable(page) }
      method = location === null ? "POST" : "GET"
      url = new URL(next, url).href
    }
    return { status: 508, text: `More than ${mostSteps} pages and redirects; the last one leads to ${url}` }
  })

const nameAndValue = (cookie: string): readonly [string, string] => {
  const [pair = ""] = cookie.split(";", 1)
  const separator = pair.indexOf("=")
  return [pair.slice(0, separator), pair.slice(separator + 1)]
}

/** Where the form of a page leads. */
const buttonOf = (page: string): string | undefined => /<form method="post" action="([^"]*)"/.exec(page)?.[1]

/** What a person reads on a page. */
export const readable = (html: string): string =>
  html
    .replaceAll(/<style[\s\S]*?<\/style>/g, " ")
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&")
    .replaceAll(/\s+/g, " ")
    .trim()
