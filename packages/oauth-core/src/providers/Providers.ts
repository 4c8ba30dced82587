import { atlassian } from "./Atlassian.ts"
import { auth0 } from "./Auth0.ts"
import { cognito } from "./Cognito.ts"
import { entra } from "./Entra.ts"
import { figma } from "./Figma.ts"
import { github } from "./GitHub.ts"
import { google } from "./Google.ts"
import { keycloak } from "./Keycloak.ts"
import { notion } from "./Notion.ts"
import { okta } from "./Okta.ts"
import type { ProviderProfile } from "./ProviderProfile.ts"
import { salesforce } from "./Salesforce.ts"
import { shopify } from "./Shopify.ts"
import { slack } from "./Slack.ts"

/** The names that the key `provider` of the `oauth` object may have. */
export const providerNames = [
  "entra",
  "google",
  "github",
  "atlassian",
  "okta",
  "auth0",
  "keycloak",
  "cognito",
  "slack",
  "salesforce",
  "shopify",
  "figma",
  "notion"
] as const

/** The name of a provider whose needs are known. */
export type ProviderName = (typeof providerNames)[number]

/** The profile of each provider. */
export const providerProfiles: Readonly<Record<ProviderName, ProviderProfile>> = {
  entra,
  google,
  github,
  atlassian,
  okta,
  auth0,
  keycloak,
  cognito,
  slack,
  salesforce,
  shopify,
  figma,
  notion
}

/** The provider that a text speaks of: by a URL in it, or by the words of an error. */
export const providerIn = (text: string): ProviderName | undefined => {
  const urls = text.match(/https?:\/\/[^\s"'`<>()]+/g) ?? []
  return providerNames.find((name) => {
    const { errors, urls: pattern } = providerProfiles[name]
    return urls.some((url) => pattern.test(url)) || errors?.test(text) === true
  })
}
