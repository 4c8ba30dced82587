/** Acquisition by client credentials with oauth4webapi. */
import * as oauth from "oauth4webapi"
import { serveRounds } from "../Worker.ts"
import { measureAcquisitions } from "./Acquisitions.ts"

serveRounds(async ({ tokenUrl, ...options }) => {
  const server: oauth.AuthorizationServer = { issuer: new URL(tokenUrl).origin, token_endpoint: tokenUrl }
  const client: oauth.Client = { client_id: "benchmark" }
  const authentication = oauth.ClientSecretBasic("the-secret-of-the-client")
  return measureAcquisitions(async () => {
    const answer = await oauth.clientCredentialsGrantRequest(
      server,
      client,
      authentication,
      {},
      { [oauth.allowInsecureRequests]: true }
    )
    const { access_token } = await oauth.processClientCredentialsResponse(server, client, answer)
    return access_token
  }, options)
})
