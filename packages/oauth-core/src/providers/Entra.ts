import type { ProviderProfile } from "./ProviderProfile.ts"

export const entra: ProviderProfile = {
  title: "Entra",
  urls: /^https:\/\/(?:login\.microsoftonline\.(?:com|us)|login\.partner\.microsoftonline\.cn|sts\.windows\.net|[\w-]+\.ciamlogin\.com)(?:[:/]|$)/,
  errors: /\bAADSTS\d+\b/,
  presets: [
    {
      key: "resource",
      value: false,
      effect: "leaves out `resource`, which Entra refuses next to its scopes (AADSTS9010010)",
      source: "https://github.com/punkpeye/mcp-remote/issues/217"
    },
    {
      key: "scope_on_refresh",
      value: true,
      effect: "repeats the scope in refresh requests, which Entra refuses without (AADSTS90009)",
      source: "https://github.com/modelcontextprotocol/typescript-sdk/issues/2718"
    }
  ],
  needs: [
    {
      what: "registers no clients by itself: `client_id` of an app registration",
      source: "https://learn.microsoft.com/en-us/entra/identity-platform/v2-protocols"
    },
    {
      what: "takes the API from the scope: `scope` with `api://…/name` or `api://…/.default`",
      source: "https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow"
    }
  ]
}
