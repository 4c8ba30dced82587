import * as Schema from "effect/Schema"

/** What a scenario tells its client beforehand (`MCP_CONFORMANCE_CONTEXT`), as far as the gateway is configured with it. */
export const ScenarioContext = Schema.Struct({
  client_id: Schema.optionalKey(Schema.String),
  client_secret: Schema.optionalKey(Schema.String),
  private_key_pem: Schema.optionalKey(Schema.String),
  signing_algorithm: Schema.optionalKey(Schema.String),
  idp_client_id: Schema.optionalKey(Schema.String),
  idp_id_token: Schema.optionalKey(Schema.String),
  idp_token_endpoint: Schema.optionalKey(Schema.String),
  valid_jwt: Schema.optionalKey(Schema.String)
})
export type ScenarioContext = typeof ScenarioContext.Type

/** The keys of `oauth` for a scenario, with a server of which only the URL is configured. */
export const oauthOf = (scenario: string, context: ScenarioContext): object => ({
  enabled: true,
  version: "2.1",
  // The suite's servers speak http on loopback.
  enforce_https: false,
  ...grantOf(scenario, context)
})

const grantOf = (scenario: string, context: ScenarioContext): object => {
  switch (scenario) {
    case "auth/basic-cimd":
      return {
        grant_type: "authorization_code",
        // The suite accepts exactly this client.
        client_metadata_url: "https://conformance-test.local/client-metadata.json"
      }
    case "auth/pre-registration":
      return {
        grant_type: "authorization_code",
        client_id: context.client_id,
        client_secret: context.client_secret
      }
    case "auth/client-credentials-basic":
      return {
        grant_type: "client_credentials",
        client_id: context.client_id,
        client_secret: context.client_secret
      }
    case "auth/client-credentials-jwt":
      return {
        grant_type: "client_credentials",
        client_id: context.client_id,
        private_key: context.private_key_pem,
        private_key_alg: context.signing_algorithm
      }
    case "auth/enterprise-managed-authorization":
      return {
        grant_type: "jwt_bearer",
        client_id: context.client_id,
        client_secret: context.client_secret,
        identity_provider: {
          token_url: context.idp_token_endpoint,
          client_id: context.idp_client_id,
          subject_token: context.idp_id_token,
          subject_token_type: "urn:ietf:params:oauth:token-type:id_token"
        }
      }
    case "auth/wif-jwt-bearer":
      return { grant_type: "jwt_bearer", client_id: context.client_id, assertion: context.valid_jwt }
    default:
      return { grant_type: "authorization_code" }
  }
}
