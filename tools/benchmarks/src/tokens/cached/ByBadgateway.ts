/** A token that is held, from `OAuth2Fetch` of @badgateway/oauth2-client. */
import { OAuth2Client, OAuth2Fetch } from "@badgateway/oauth2-client"
import { cpuPerOperation } from "../CpuPerOperation.ts"
import { serveRounds } from "../Worker.ts"

serveRounds(async ({ milliseconds, tokenUrl }) => {
  const client = new OAuth2Client({
    clientId: "benchmark",
    clientSecret: "the-secret-of-the-client",
    tokenEndpoint: tokenUrl
  })
  const wrapper = new OAuth2Fetch({
    client,
    getNewToken: () => client.clientCredentials(),
    scheduleRefresh: false
  })
  const byPromise = async (count: number) => {
    for (let done = 0; done < count; done++) await wrapper.getAccessToken()
  }
  await wrapper.getAccessToken()
  return async () => ({ promise: (await cpuPerOperation(byPromise, { batch: 1000, milliseconds })).cpu })
})
