import type { ProviderProfile } from "./ProviderProfile.ts"

export const auth0: ProviderProfile = {
  title: "Auth0",
  urls: /^https:\/\/[\w.-]+\.auth0\.com(?:[:/]|$)/,
  presets: [],
  needs: [
    {
      what: 'reads `audience` unless its tenant has the setting "Resource Parameter Compatibility Profile": `audience` with the identifier of the API, or that setting',
      source: "https://support.auth0.com/center/s/article/mcp-audience-error-with-auth0"
    }
  ]
}
