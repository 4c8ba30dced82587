import type { ProviderProfile } from "./ProviderProfile.ts"

export const github: ProviderProfile = {
  title: "GitHub",
  urls: /^https:\/\/(?:github\.com|api\.githubcopilot\.com)(?:[:/]|$)/,
  presets: [],
  needs: [
    {
      what: "registers no clients by itself: `client_id` and `client_secret` of a GitHub App or an OAuth app",
      source: "https://github.com/github/github-mcp-server/blob/main/docs/host-integration.md"
    }
  ]
}
