import type { ProviderProfile } from "./ProviderProfile.ts"

export const google: ProviderProfile = {
  title: "Google",
  urls: /^https:\/\/(?:accounts\.google\.com|[\w.-]+\.googleapis\.com)(?:[:/]|$)/,
  presets: [
    {
      key: "authorize_params",
      member: "access_type",
      value: "offline",
      effect: "asks for a refresh token",
      source: "https://developers.google.com/identity/protocols/oauth2/web-server"
    },
    {
      key: "authorize_params",
      member: "prompt",
      value: "consent",
      effect: "asks the person again, because only then a second login gets a refresh token",
      source: "https://github.com/googleworkspace/apps-script-oauth2/pull/210"
    },
    {
      key: "offline_access",
      value: false,
      effect: "leaves out the scope `offline_access`, which Google does not know (invalid_scope)",
      source: "https://github.com/lukaszraczylo/traefikoidc/issues/44"
    }
  ],
  needs: [
    {
      what: "registers no clients by itself: `client_id` and `client_secret` of a project of yours",
      source: "https://developers.google.com/identity/protocols/oauth2/web-server"
    }
  ]
}
