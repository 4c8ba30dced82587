/** Steps after which a login has gone astray. */
const mostPages = 20

/**
 * Goes through a login as a person does: follows redirects, fills in the name where a page asks for one, and agrees. Gives
 * the address at which the provider sends the person back to the client.
 */
export const logIn = async (authorizationUrl: string, name: string, redirectUrl: string): Promise<URL> => {
  const cookies = new Map<string, string>()
  let next = new URL(authorizationUrl)
  let isForm = false
  for (let page = 0; page < mostPages; page += 1) {
    if (next.href.startsWith(redirectUrl)) return next
    const answer = await fetch(next, {
      method: isForm ? "POST" : "GET",
      redirect: "manual",
      headers: { cookie: [...cookies].map(([key, value]) => `${key}=${value}`).join("; ") },
      body: isForm ? new URLSearchParams({ login: name }) : null
    })
    for (const cookie of answer.headers.getSetCookie()) {
      const [, key = "", value = ""] = /^([^=]*)=([^;]*)/.exec(cookie) ?? []
      cookies.set(key, value)
    }
    const location = answer.headers.get("location")
    // A page without a redirect is a form, which is sent to where it stands.
    isForm = location === null
    next = new URL(location ?? next, next)
  }
  throw new Error(`The login did not end; it stopped at ${next.origin}${next.pathname}`)
}
