/** Acquisition by client credentials with simple-oauth2. */
import { ClientCredentials } from "simple-oauth2"
import { serveRounds } from "../Worker.ts"
import { readAccessToken } from "./AccessToken.ts"
import { measureAcquisitions } from "./Acquisitions.ts"

serveRounds(async ({ tokenUrl, ...options }) => {
  const { origin, pathname } = new URL(tokenUrl)
  const client = new ClientCredentials({
    client: { id: "benchmark", secret: "the-secret-of-the-client" },
    auth: { tokenHost: origin, tokenPath: pathname }
  })
  return measureAcquisitions(async () => readAccessToken((await client.getToken({})).token), options)
})
