import type { ProviderProfile } from "./ProviderProfile.ts"

export const shopify: ProviderProfile = {
  title: "Shopify",
  urls: /^https:\/\/[\w-]+\.myshopify\.com(?:[:/]|$)/,
  presets: [
    {
      key: "scope_separator",
      value: ",",
      effect: "separates scopes by commas",
      source: "https://github.com/Shopify/omniauth-shopify-oauth2/wiki/Shopify-OAuth"
    }
  ],
  needs: [
    {
      what: "needs an app: `client_id`, `client_secret`, and the URLs `/admin/oauth/authorize` and `/admin/oauth/access_token` of the shop",
      source: "https://github.com/Shopify/omniauth-shopify-oauth2/wiki/Shopify-OAuth"
    }
  ]
}
