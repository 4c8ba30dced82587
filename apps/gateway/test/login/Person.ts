import * as Effect from "effect/Effect"

/** Where a person ended up, and what they see there. */
export interface Page {
  readonly url: string
  readonly status: number
  readonly text: string
}

/** Follows redirects and fills in forms like a browser, up to the address that leads away from the first server. */
export const consent = (authorizationUrl: string, name: string) =>
  Effect.promise(async () => {
    const cookies = new Map<string, string>()
    const { origin } = new URL(authorizationUrl)
    let next = authorizationUrl
    let form: Record<string, string> | undefined
    for (let step = 0; step < 20; step += 1) {
      if (new URL(next).origin !== origin) return next
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
      if (location !== null) {
        next = new URL(location, next).href
        form = undefined
        continue
      }
      const text = await answer.text()
      if (!text.includes("<form")) throw new Error(`${next} answered ${answer.status}: ${text}`)
      form = answerTo(text, name)
    }
    throw new Error(`No end after twenty pages; stopped at ${next}`)
  })

/** The login takes a name, the consent a click. */
const answerTo = (page: string, name: string): Record<string, string> =>
  page.includes('name="login"') ? { login: name } : {}

/** Opens one page. */
export const visit = (url: string, init: RequestInit = {}) =>
  Effect.promise(async (): Promise<Page> => {
    const answer = await fetch(url, { redirect: "manual", ...init })
    return { url, status: answer.status, text: await answer.text() }
  })

/** The whole login of a person, up to the page that the gateway shows in the end. */
export const logIn = (authorizationUrl: string, name: string) =>
  Effect.flatMap(consent(authorizationUrl, name), (callback) => visit(callback))
