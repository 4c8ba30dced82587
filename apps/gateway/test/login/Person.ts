import * as Effect from "effect/Effect"

/** Where a person ended up, and what they see there. */
export interface Page {
  readonly url: string
  readonly status: number
  readonly text: string
}

/** Follows redirects and fills in forms like a browser, up to an address at another place. */
export const consent = (url: string, name: string) => Effect.map(walk(url, name), ({ url }) => url)

/** Goes through the pages at one origin, up to one without a form. */
export const walk = (start: string, name: string) =>
  Effect.promise(async (): Promise<Page> => {
    const cookies = new Map<string, string>()
    const { origin } = new URL(start)
    let next = start
    let form: Readonly<Record<string, string>> | undefined
    for (let step = 0; step < 20; step += 1) {
      if (new URL(next).origin !== origin) return { url: next, status: 303, text: "" }
      const answer = await fetch(next, {
        method: form === undefined ? "GET" : "POST",
        redirect: "manual",
        headers: { cookie: [...cookies].map(([key, value]) => `${key}=${value}`).join("; ") },
        body: form === undefined ? null : new URLSearchParams(form)
      })
      for (const [pair = ""] of answer.headers.getSetCookie().map((cookie) => cookie.split(";"))) {
        const separator = pair.indexOf("=")
        cookies.set(pair.slice(0, separator), pair.slice(separator + 1))
      }
      const location = answer.headers.get("location")
      const text = await answer.text()
      if (location === null && !text.includes("<form")) return { url: next, status: answer.status, text }
      form = location === null ? answerTo(text, name) : undefined
      next = new URL(location ?? /<form[^>]* action="([^"]*)"/.exec(text)?.[1] ?? next, next).href
    }
    throw new Error(`No end after twenty pages; stopped at ${next}`)
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
export const logIn = (authorizationUrl: string, name: string) =>
  Effect.flatMap(consent(authorizationUrl, name), (callback) => visit(callback))
