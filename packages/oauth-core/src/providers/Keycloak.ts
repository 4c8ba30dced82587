import type { ProviderProfile } from "./ProviderProfile.ts"

export const keycloak: ProviderProfile = {
  title: "Keycloak",
  urls: /^https?:\/\/[^/]+\/(?:auth\/)?realms\/[^/]+/,
  presets: [
    {
      key: "registration",
      member: "scope",
      value: false,
      effect:
        "registers without `scope`: with it a client loses the realm's default scopes, or is refused by the policy Allowed Client Scopes",
      source: "https://github.com/keycloak/keycloak/issues/50807"
    }
  ],
  needs: [
    {
      what: "does not read `resource` by default: an audience mapper in a client scope",
      source: "https://keycloak.org/securing-apps/mcp-authz-server"
    }
  ]
}
