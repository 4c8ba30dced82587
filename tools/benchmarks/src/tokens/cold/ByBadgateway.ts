/** Acquisition by client credentials with @badgateway/oauth2-client. */
import { OAuth2Client } from "@badgateway/oauth2-client"
import { serveRounds } from "../Worker.ts"
import { measureAcquisitions } from "./Acquisitions.ts"

serveRounds(async ({ tokenUrl, ...options }) => {
  const client = new OAuth2Client({
    clientId: "benchmark",
    clientSecret: "the-secret-of-the-client",
    tokenEndpoint: tokenUrl,
    authenticationMethod: "client_secret_basic"
  })
  return measureAcquisitions(async () => (await client.clientCredentials()).accessToken, options)
})
