import * as Effect from "effect/Effect"

/** Where a person ended up, and what they see there. */
export interface Page {
  readonly url: string
  readonly status: number
  readonly text: string
}

/** The cookies of one browser. They count for a host whatever its port, as in real browsers. */
export class BrowserCookies {
  private readonly jars = new Map<string, Map<string, string>>()

  /** The `Cookie` header for an address. */
  header(url: string): Record<string, string> {
    return { cookie: [...this.jar(url)].map(([name, value]) => `${name}=${value}`).join("; ") }
  }

  take(url: string, answer: Response): void {
    for (const cookie of answer.headers.getSetCookie()) {
      const [pair = ""] = cookie.split(";")
      const separator = pair.indexOf("=")
      const name = pair.slice(0, separator)
      if (/max-age=0/i.test(cookie)) this.jar(url).delete(name)
      else this.jar(url).set(name, pair.slice(separator + 1))
    }
  }

  private jar(url: string): Map<string, string> {
    const { hostname } = new URL(url)
    const jar = this.jars.get(hostname) ?? new Map<string, string>()
    this.jars.set(hostname, jar)
    return jar
  }
}

/** Goes through a login like a browser, up to the address that the authorization server sends it back to. */
export const consent = (url: string, name: string, cookies = new BrowserCookies()) =>
  Effect.map(walk(url, name, { cookies, until: isCallback }), ({ url }) => url)

const isCallback = ({ searchParams }: URL): boolean =>
  searchParams.has("state") && (searchParams.has("code") || searchParams.has("error"))

/** Follows redirects and fills in forms like a browser without JavaScript, up to a page without a form. */
export const walk = (
  start: string,
  name: string,
  {
    cookies = new BrowserCookies(),
    until = () => false
  }: { readonly cookies?: BrowserCookies; readonly until?: (next: URL) => boolean } = {}
) =>
  Effect.promise(async (): Promise<Page> => {
    let next = start
    let form: Readonly<Record<string, string>> | undefined
    for (let step = 0; step < 40; step += 1) {
      if (until(new URL(next))) return { url: next, status: 303, text: "" }
      const answer = await fetch(next, {
        method: form === undefined ? "GET" : "POST",
        redirect: "manual",
        headers: cookies.header(next),
        body: form === undefined ? null : new URLSearchParams(form)
      })
      cookies.take(next, answer)
      const location = answer.headers.get("location")
      const text = await answer.text()
      if (location === null && !text.includes("<form")) return { url: next, status: answer.status, text }
      form = location === null ? answerTo(text, name) : undefined
      next = new URL(location ?? /<form[^>]* action="([^"]*)"/.exec(text)?.[1] ?? next, next).href
    }
    throw new Error(`No end after forty pages; stopped at ${next}`)
  })

/** A form takes what is hidden in it, and the name of the person where it asks for one. */
const answerTo = (page: string, name: string): Record<string, string> => {
  const hidden = [...page.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)]
  return {
    ...Object.fromEntries(hidden.map(([, key = "", value = ""]) => [key, value])),
    ...(page.includes('name="login"') ? { login: name } : {})
  }
}

/** Opens one page. */
export const visit = (url: string, init: RequestInit = {}) =>
  Effect.promise(async (): Promise<Page> => {
    const answer = await fetch(url, { redirect: "manual", ...init })
    return { url, status: answer.status, text: await answer.text() }
  })

/** The whole login of a person, up to the page that the gateway shows in the end. */
export const logIn = (url: string, name: string, cookies?: BrowserCookies) =>
  walk(url, name, cookies === undefined ? {} : { cookies })

/** Goes on from the page of a link, as a person does who asked for the login. Returns the authorization URL. */
export const confirm = (link: string, cookies = new BrowserCookies()) =>
  Effect.map(
    walk(link, "", { cookies, until: ({ origin }) => origin !== new URL(link).origin }),
    ({ url }) => url
  )
