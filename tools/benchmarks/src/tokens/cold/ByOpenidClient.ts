/** Acquisition by client credentials with openid-client. */
import * as client from "openid-client"
import { serveRounds } from "../Worker.ts"
import { measureAcquisitions } from "./Acquisitions.ts"

serveRounds(async ({ tokenUrl, ...options }) => {
  const config = new client.Configuration(
    { issuer: new URL(tokenUrl).origin, token_endpoint: tokenUrl },
    "benchmark",
    "the-secret-of-the-client",
    client.ClientSecretBasic("the-secret-of-the-client")
  )
  client.allowInsecureRequests(config)
  return measureAcquisitions(async () => (await client.clientCredentialsGrant(config)).access_token, options)
})
