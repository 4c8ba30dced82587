import type { ProviderProfile } from "./ProviderProfile.ts"

export const okta: ProviderProfile = {
  title: "Okta",
  urls: /^https:\/\/[\w-]+\.okta(?:-emea|preview)?\.com(?:[:/]|$)/,
  presets: [],
  needs: [
    {
      what: "registers clients only for holders of an API token: `client_id` and `client_secret` of an app, or a `client_metadata_url` that is registered there",
      source: "https://www.apollographql.com/docs/apollo-mcp-server/guides/auth-okta"
    }
  ]
}
