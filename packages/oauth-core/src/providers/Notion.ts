import type { ProviderProfile } from "./ProviderProfile.ts"

export const notion: ProviderProfile = {
  title: "Notion",
  urls: /^https:\/\/(?:mcp|api)\.notion\.com(?:[:/]|$)/,
  presets: [
    {
      key: "authorize_params",
      member: "owner",
      value: "user",
      effect: "asks for access in the name of a person, which the login page of the API wants to be told",
      source: "https://developers.notion.com/docs/authorization"
    }
  ],
  needs: []
}
