/** Acquisition by client credentials, by hand with undici. */
import { Pool } from "undici"
import { serveRounds } from "../Worker.ts"
import { atOnce, measureAcquisitions } from "./Acquisitions.ts"
import { readAccessToken } from "./AccessToken.ts"

serveRounds(async ({ tokenUrl, ...options }) => {
  const { origin, pathname } = new URL(tokenUrl)
  const pool = new Pool(origin, { connections: atOnce })
  const headers = {
    "content-type": "application/x-www-form-urlencoded",
    authorization: `Basic ${btoa("benchmark:the-secret-of-the-client")}`
  }
  const body = "grant_type=client_credentials"
  return measureAcquisitions(async () => {
    const answer = await pool.request({ path: pathname, method: "POST", headers, body })
    return readAccessToken(await answer.body.json())
  }, options)
})
