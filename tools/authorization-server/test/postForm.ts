import * as Effect from "effect/Effect"

/** Posts a form and reads the JSON answer, if there is one. */
export const postForm = (
  url: string,
  parameters: Record<string, string>,
  headers: Record<string, string> = {}
) =>
  Effect.promise(async () => {
    const answer = await fetch(url, { method: "POST", body: new URLSearchParams(parameters), headers })
    const text = await answer.text()
    const body = (text === "" ? {} : JSON.parse(text)) as Record<string, unknown>
    return { status: answer.status, body, accessToken: String(body["access_token"]) }
  })

export const basic = (clientId: string, clientSecret: string) =>
  `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}`
