import * as Effect from "effect/Effect"

/** The page on which a login ended. */
export interface LastPage {
  readonly status: number
  readonly text: string
}

/** More redirects than any login has. */
const mostRedirects = 20

/** Opens the URL of a login as the browser of a person who agrees: follows every redirect, with cookies. */
export const openInBrowser = (authorizationUrl: string): Effect.Effect<LastPage> =>
  Effect.promise(async () => {
    const cookies = new Map<string, string>()
    let url = authorizationUrl
    for (let redirects = 0; redirects < mostRedirects; redirects += 1) {
      const { host } = new URL(url)
      const cookie = cookies.get(host)
      const answer = await fetch(url, {
        redirect: "manual",
        headers: cookie === undefined ? {} : { cookie }
      })
      const set = answer.headers.getSetCookie().map((cookie) => cookie.split(";", 1).join())
      if (set.length > 0) cookies.set(host, set.join("; "))
      const location = answer.headers.get("location")
      if (location === null) return { status: answer.status, text: readable(await answer.text()) }
      url = new URL(location, url).href
    }
    return { status: 508, text: `More than ${mostRedirects} redirects; the last one leads to ${url}` }
  })

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
