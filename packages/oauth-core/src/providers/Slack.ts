import type { ProviderProfile } from "./ProviderProfile.ts"

export const slack: ProviderProfile = {
  title: "Slack",
  urls: /^https:\/\/(?:mcp\.)?slack\.com(?:[:/]|$)/,
  presets: [
    {
      key: "scope_separator",
      value: ",",
      effect: "separates scopes by commas",
      source: "https://docs.slack.dev/authentication/installing-with-oauth"
    },
    {
      key: "issuer_mismatch",
      value: "allow",
      effect: "takes metadata that names another issuer than the one that was asked",
      source: "https://github.com/slackapi/slack-skills-plugin/issues/7"
    }
  ],
  needs: [
    {
      what: "registers no clients by itself: `client_id` and `client_secret` of a published or internal app",
      source: "https://docs.mcpmanager.ai/mcp-server-guides/slack"
    }
  ]
}
