/** Entries of a configuration's `servers` for this machine, without TLS. */

/** A server that the gateway gets a token for as a client of its own. */
export const machineEntry = (name: string, url: string, tokenUrl: string, oauth: object = {}) => ({
  server_name: name,
  config: { url },
  oauth: {
    enabled: true,
    token_url: tokenUrl,
    client_id: "machine",
    client_secret: "the-secret-of-the-client",
    enforce_https: false,
    ...oauth
  }
})

/** A server that each person logs in to. */
export const personEntry = (
  name: string,
  url: string,
  authorizationServerUrl: string,
  oauth: object = {}
) => ({
  server_name: name,
  config: { url },
  oauth: {
    enabled: true,
    grant_type: "authorization_code",
    authorization_url: `${authorizationServerUrl}/authorize`,
    token_url: `${authorizationServerUrl}/token`,
    client_id: "persons",
    client_secret: "the-secret-of-the-client",
    enforce_https: false,
    ...oauth
  }
})

/** The API key of a person. */
export const keyOf = (subject: string): string => `the-key-that-${subject}-holds`

export const apiKeys = (subjects: ReadonlyArray<string>) =>
  subjects.map((subject) => ({ subject, key: keyOf(subject) }))
