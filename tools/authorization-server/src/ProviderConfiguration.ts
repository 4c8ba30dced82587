import type { JWK } from "jose"
import {
  errors,
  type Configuration,
  type ClientMetadata,
  type KoaContextWithOIDC,
  type ResourceServer
} from "oidc-provider"
import { certificateAuthMethods, mutualTlsFeature, type MtlsEndpointAliases } from "./MutualTls.ts"
import type { ProtectedResource } from "./ProtectedResource.ts"
import type { TokenStorage } from "./TokenStorage.ts"

const day = 24 * 60 * 60

/**
 * The provider's configuration. Hooks whose defaults print a notice to standard output are all given,
 * because standard output belongs to the program that runs the server.
 */
export const providerConfiguration = (settings: {
  readonly clients: ReadonlyArray<ClientMetadata>
  readonly clientDocuments: Readonly<Record<string, object>>
  readonly resources: ReadonlyArray<ProtectedResource>
  readonly accessTokenLifetime: () => number
  /** The first one signs. */
  readonly signingKeys: ReadonlyArray<JWK>
  /** Signs the cookies of browsers. */
  readonly cookieKey: string
  readonly storage: TokenStorage
  /** Over TLS clients may present certificates. */
  readonly tls: boolean
  readonly mtlsEndpointAliases: MtlsEndpointAliases | undefined
}): Configuration => ({
  adapter: settings.storage.adapter,
  clients: [...settings.clients],
  clientDefaults: { id_token_signed_response_alg: "ES256" },
  clientAuthMethods: [...clientAuthMethods, ...(settings.tls ? certificateAuthMethods : [])],
  clientBasedCORS: () => false,
  cookies: { keys: [settings.cookieKey] },
  discovery:
    settings.mtlsEndpointAliases === undefined ? {} : { mtls_endpoint_aliases: settings.mtlsEndpointAliases },
  features: {
    ...machineFeatures(settings.resources),
    ...interactiveFeatures,
    // The flows use neither, and a server without them is the common case.
    dPoP: { enabled: false },
    pushedAuthorizationRequests: { enabled: false },
    ...(settings.tls ? { mTLS: mutualTlsFeature } : {})
  },
  fetch: (url, options) => {
    const document = settings.clientDocuments[String(url)]
    return document === undefined ? globalThis.fetch(url, options) : Promise.resolve(Response.json(document))
  },
  findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  issueRefreshToken: (_context, client) => client.grantTypeAllowed("refresh_token"),
  jwks: { keys: [...settings.signingKeys] },
  pkce: { required: () => true },
  renderError: (context, out) => {
    context.type = "json"
    context.body = out
  },
  scopes: ["openid", "offline_access", ...settings.resources.flatMap((resource) => resource.scopes)],
  ttl: {
    AccessToken: settings.accessTokenLifetime,
    ClientCredentials: settings.accessTokenLifetime,
    AuthorizationCode: 60,
    DeviceCode: 600,
    IdToken: 3600,
    RefreshToken: 14 * day,
    Interaction: 3600,
    Session: 14 * day,
    Grant: 14 * day
  }
})

const clientAuthMethods = [
  "client_secret_basic",
  "client_secret_post",
  "client_secret_jwt",
  "private_key_jwt",
  "none"
] as const

/** Features without a person: client credentials for a resource, introspection, revocation. */
const machineFeatures = (resources: ReadonlyArray<ProtectedResource>) =>
  ({
    clientCredentials: { enabled: true },
    introspection: {
      enabled: true,
      // Any confidential client counts as a resource server; a public one may introspect its own tokens.
      allowedPolicy: (_context, client, token) =>
        client.clientAuthMethod !== "none" || token.clientId === client.clientId
    },
    revocation: {
      enabled: true,
      allowedPolicy: (_context, client, token) => token.clientId === client.clientId
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: (context, _client, oneOf) => oneOf ?? audienceAsResource(context, resources),
      useGrantedResource: () => true,
      getResourceServerInfo: (_context, identifier) => resourceServer(identifier, resources)
    }
  }) satisfies Configuration["features"]

/** Features for logins in a browser, and for clients that are not configured; `Interactions` has the other pages. */
const interactiveFeatures = {
  clientIdMetadataDocument: { enabled: true, ack: "draft-02" },
  deviceFlow: {
    enabled: true,
    userCodeInputSource: (context, form) => showPage(context, "Enter the code", form),
    userCodeConfirmSource: (context, form, _client, _device, userCode) =>
      showPage(context, "Confirm the code", `<code>${userCode}</code>${form}`),
    successSource: (context) => showPage(context, "Done", "")
  },
  devInteractions: { enabled: false },
  registration: { enabled: true },
  rpInitiatedLogout: { enabled: false }
} satisfies Configuration["features"]

/** @param form made by the provider, with its content escaped; its button is outside of it */
const showPage = (context: KoaContextWithOIDC, title: string, form: string) => {
  context.type = "html"
  context.body = `<!doctype html>
<title>${title}</title>
${form}
<button type="submit" form="op.deviceInputForm">Continue</button>
<button type="submit" form="op.deviceConfirmForm">Confirm</button>
`
}

// Some servers use `audience` where RFC 8707 has `resource`; a known value is accepted here, too.
const audienceAsResource = (context: KoaContextWithOIDC, resources: ReadonlyArray<ProtectedResource>) => {
  const audience = context.oidc.body?.["audience"]
  return resources.find((resource) => resource.identifier === audience)?.identifier
}

/** What the provider has to know of a resource; fails for one that is not known. */
export const resourceServer = (
  identifier: string,
  resources: ReadonlyArray<ProtectedResource>
): ResourceServer => {
  const resource = resources.find((resource) => resource.identifier === identifier)
  if (resource === undefined) throw new errors.InvalidTarget()
  return {
    audience: resource.identifier,
    scope: resource.scopes.join(" "),
    accessTokenFormat: resource.accessTokenFormat
  }
}
