import type { ProviderProfile } from "./ProviderProfile.ts"

export const atlassian: ProviderProfile = {
  title: "Atlassian",
  urls: /^https:\/\/(?:(?:cf\.)?mcp|auth)\.atlassian\.com(?:[:/]|$)/,
  presets: [
    {
      key: "issuer_mismatch",
      value: "allow",
      effect: "takes metadata that names another issuer than the one that was asked",
      source: "https://github.com/atlassian/atlassian-mcp-server/issues/205"
    }
  ],
  needs: []
}
