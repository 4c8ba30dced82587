/** Acquisition by client credentials, by hand with `fetch`. */
import { serveRounds } from "../Worker.ts"
import { readAccessToken } from "./AccessToken.ts"
import { measureAcquisitions } from "./Acquisitions.ts"

serveRounds(async ({ tokenUrl, ...options }) => {
  const headers = { authorization: `Basic ${btoa("benchmark:the-secret-of-the-client")}` }
  return measureAcquisitions(async () => {
    const body = new URLSearchParams({ grant_type: "client_credentials" })
    const answer = await fetch(tokenUrl, { method: "POST", headers, body })
    return readAccessToken(await answer.json())
  }, options)
})
