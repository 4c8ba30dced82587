import * as Effect from "effect/Effect"

/** What a person fills in, by the names of the fields. */
type Answers = Readonly<Record<string, string>>

/** How a page is asked for. */
type Fetch = (
  url: string,
  init: {
    readonly method: string
    readonly redirect: "manual"
    readonly headers: Record<string, string>
    readonly body: URLSearchParams | null
  }
) => Promise<{
  readonly headers: Pick<Headers, "get" | "getSetCookie">
  readonly text: () => Promise<string>
}>

/**
 * Goes through the pages of an authorization server as a person with a browser does: follows redirects, sends every
 * form back with its hidden fields and the answers it has a field for. Ends at the first address that begins with
 * `end`, at a page without a form, or at one that was answered before; gives the address.
 */
export const browse = (
  start: string,
  end: string,
  answers: Answers,
  open: Fetch = (url, init) => fetch(url, init)
) =>
  Effect.promise(async () => {
    const cookies = new Map<string, string>()
    let next = start
    const answered = new Set<string>()
    let form: URLSearchParams | null = null
    for (let page = 0; page < 20; page++) {
      if (next.startsWith(end)) return next
      const answer: Awaited<ReturnType<Fetch>> = await open(next, {
        method: form === null ? "GET" : "POST",
        redirect: "manual",
        headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
        body: form
      })
      for (const cookie of answer.headers.getSetCookie()) {
        const [pair = ""] = cookie.split(";")
        cookies.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1))
      }
      const location = answer.headers.get("location")
      const html = await answer.text()
      const action = /<form[^>]*?(?: action="(?<action>[^"]*)")?>/.exec(html)
      if (location === null && action === null) return next
      next = new URL(location ?? action?.groups?.["action"] ?? next, next).href
      form = location === null ? fieldsOf(html, answers) : null
      if (form === null) continue
      const question = `${next} ${[...form.keys()].join()}`
      if (answered.has(question)) return next
      answered.add(question)
    }
    throw new Error(`no end after twenty pages; stopped at ${next}`)
  })

const fieldsOf = (html: string, answers: Answers): URLSearchParams => {
  const fields = new URLSearchParams()
  for (const [input] of html.matchAll(/<input[^>]*>/g)) {
    const name = / name="([^"]*)"/.exec(input)?.[1]
    if (name === undefined) continue
    const value = answers[name] ?? / value="([^"]*)"/.exec(input)?.[1]
    if (value !== undefined) fields.set(name, value)
  }
  if (answers["deny"] !== undefined && html.includes('name="deny"')) fields.set("deny", "")
  return fields
}
