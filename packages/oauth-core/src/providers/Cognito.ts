import type { ProviderProfile } from "./ProviderProfile.ts"

export const cognito: ProviderProfile = {
  title: "Cognito",
  urls: /^https:\/\/(?:cognito-idp\.[\w-]+\.amazonaws\.com|[\w-]+\.auth\.[\w-]+\.amazoncognito\.com)(?:[:/]|$)/,
  presets: [],
  needs: [
    {
      what: "registers no clients by itself: `client_id` of an app client",
      source: "https://zuplo.com/learn/mcp/compatibility/identity-providers"
    },
    {
      what: "needs at least one scope that is enabled for the app client: `scope`",
      source: "https://github.com/anthropics/claude-code/issues/90190"
    }
  ]
}
