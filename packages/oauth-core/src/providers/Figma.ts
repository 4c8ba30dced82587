import type { ProviderProfile } from "./ProviderProfile.ts"

export const figma: ProviderProfile = {
  title: "Figma",
  urls: /^https:\/\/(?:mcp|api|www)\.figma\.com(?:[:/]|$)/,
  presets: [],
  needs: [
    {
      what: "registers only clients whose name it knows (403): a client that Figma admitted, by `client_id` or by its name in `registration.client_name`",
      source: "https://github.com/punkpeye/mcp-remote/issues/186"
    },
    {
      what: 'wants the secret it gives to a registered client: `token_endpoint_auth_method` "client_secret_post"',
      source: "https://github.com/NousResearch/hermes-agent/pull/73141"
    }
  ]
}
