import type { ProviderProfile } from "./ProviderProfile.ts"

export const salesforce: ProviderProfile = {
  title: "Salesforce",
  urls: /^https:\/\/(?:api|login|test|[\w.-]+\.my)\.salesforce\.com(?:[:/]|$)/,
  presets: [],
  needs: [
    {
      what: "registers no clients by itself: `client_id` of an External Client App with PKCE and JWT-based access tokens",
      source:
        "https://developer.salesforce.com/docs/platform/hosted-mcp-servers/guide/create-external-client-app.html"
    },
    {
      what: "grants what the app allows: `scope` with `mcp_api refresh_token`",
      source:
        "https://developer.salesforce.com/docs/platform/hosted-mcp-servers/guide/create-external-client-app.html"
    }
  ]
}
