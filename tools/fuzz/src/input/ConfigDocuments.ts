import * as fc from "fast-check"
import { objectOf } from "./JsonTexts.ts"
import { hostileText, sometimesDamaged } from "./Texts.ts"

const names = fc.constantFrom("notes", "remote", "a/b", "", "é", "x".repeat(300))

const urls = fc.constantFrom(
  "https://api.example/mcp",
  "http://127.0.0.1:9/mcp",
  "https://auth.example/token",
  "http://auth.example/token",
  "${env:FUZZ_URL}/mcp",
  "https://[::1",
  "wss://api.example"
)

const references = fc.constantFrom(
  "${env:FUZZ_SECRET}",
  "${file:secret.txt}",
  "${env:FUZZ_UNKNOWN}",
  "${file:/nowhere}",
  "${file:.}",
  "$FUZZ_SECRET",
  "${FUZZ_SECRET}",
  "${env:FUZZ_SECRET} and ${file:secret.txt}",
  "${env:",
  "${file:../../../../etc/hostname}"
)

const texts = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("mcp:read", "gateway", "S256", "form") },
  { weight: 1, arbitrary: hostileText() }
)

/** Documents of the gateway. @param secret stands where a secret belongs, or a reference to one */
const gatewayDocument = (secret: string): fc.Arbitrary<object> => {
  const secrets = fc.oneof(fc.constant(secret), references)
  const oauth = objectOf({
    enabled: fc.constant(true),
    version: fc.constantFrom("2.0", "2.1"),
    provider: fc.constantFrom("google", "slack", "entra", "nobody"),
    grant_type: fc.constantFrom(
      "client_credentials",
      "authorization_code",
      "device_code",
      "jwt_bearer",
      "token_exchange"
    ),
    token_url: urls,
    issuer: urls,
    authorization_url: urls,
    device_authorization_url: urls,
    revocation_url: urls,
    redirect_uri: urls,
    client_id: texts,
    client_secret: secrets,
    client_metadata_url: urls,
    private_key: secrets,
    private_key_alg: fc.constantFrom("ES256", "RS256", "none"),
    assertion: secrets,
    subject_token: secrets,
    subject_token_type: texts,
    identity_provider: objectOf({
      token_url: urls,
      client_id: texts,
      client_secret: secrets,
      subject_token: secrets
    }),
    scope: texts,
    audience: texts,
    resource: fc.oneof(urls, fc.constant(false)),
    token_expiry_buffer: fc.double(),
    default_expires_in: fc.integer(),
    use_basic_auth: fc.boolean(),
    use_pkce: fc.boolean(),
    enforce_https: fc.boolean(),
    use_mtls: fc.boolean(),
    client_cert_path: fc.constantFrom("/nowhere/cert.pem", "secret.txt"),
    client_key_path: fc.constantFrom("/nowhere/key.pem", "secret.txt"),
    client_pkcs12_path: fc.constantFrom("/nowhere/client.p12", "secret.txt"),
    client_key_passphrase: secrets,
    ca_bundle_path: fc.constantFrom("/nowhere/ca.pem", "secret.txt"),
    additional_params: fc.dictionary(fc.constantFrom("pin", "grant_type", "__proto__"), secrets, {
      maxKeys: 2
    }),
    authorize_params: fc.dictionary(fc.constantFrom("prompt", "state"), texts, { maxKeys: 2 }),
    custom_headers: fc.dictionary(fc.constantFrom("X-Api-Key", "Host", "a b", ""), secrets, { maxKeys: 2 }),
    token_env: objectOf({ name: texts, format: texts })
  })
  const config = objectOf({
    url: urls,
    transport: fc.constantFrom("http", "sse"),
    headers: fc.dictionary(fc.constantFrom("Authorization", "X-Api-Key", "\n", "Host"), secrets, {
      maxKeys: 2
    }),
    command: fc.constantFrom("node", "", "/bin/sh"),
    args: fc.array(texts, { maxLength: 3 }),
    env: fc.dictionary(fc.constantFrom("API_KEY", "A=B", ""), secrets, { maxKeys: 2 }),
    cwd: texts,
    start_timeout_seconds: fc.double(),
    token_renewal: fc.constantFrom("restart", "file")
  })
  const limits = objectOf({
    message_bytes: fc.integer(),
    requests: fc.integer(),
    buffered_bytes: fc.integer(),
    waiting_logins: fc.integer()
  })
  return objectOf({
    project_id: texts,
    config_id: texts,
    gateway: objectOf({
      host: fc.constantFrom("127.0.0.1", "::", ""),
      port: fc.integer(),
      auth_timeout_seconds: fc.double(),
      api_keys: fc.array(
        fc.oneof(
          secrets,
          objectOf({ subject: texts, key: secrets, servers: fc.array(names, { maxLength: 2 }) })
        ),
        { maxLength: 3 }
      ),
      allowed_hosts: fc.array(texts, { maxLength: 2 }),
      callback_port: fc.integer(),
      user_agent: texts,
      proxy: fc.oneof(urls, fc.constant(false)),
      limits,
      tls: objectOf({ cert_path: texts, key_path: texts, key_passphrase: secrets, client_ca_path: texts })
    }),
    store: objectOf({
      type: fc.constantFrom("memory", "file", "redis", "sqlite", "postgres"),
      directory: fc.constant("/nowhere"),
      url: fc.constantFrom(
        `rediss://user:${secret}@redis.example`,
        `postgres://user:${secret}@db.example/d?sslmode=x`,
        "redis://[",
        "${env:FUZZ_SECRET}"
      ),
      username: texts,
      password: secrets,
      encryption_key: secrets,
      previous_encryption_keys: fc.array(secrets, { maxLength: 2 }),
      key_prefix: texts,
      timeout_seconds: fc.double(),
      ca_bundle_path: fc.constantFrom("/nowhere/ca.pem", "secret.txt")
    }),
    servers: fc.array(objectOf({ server_name: names, config, oauth, limits }), { minLength: 1, maxLength: 3 })
  })
}

/** Documents of other programs. */
const foreignDocument = (secret: string): fc.Arbitrary<object> => {
  const entry = fc.oneof(
    objectOf({
      url: fc.constantFrom(
        "https://api.example/mcp",
        `https://api.example/mcp?api_key=${secret}`,
        `https://user:${secret}@api.example/`
      ),
      type: fc.constantFrom("http", "sse", "stdio"),
      headers: fc.constantFrom({}, { Authorization: `Bearer ${secret}` }, { "X-Api-Key": secret }),
      oauth: objectOf({ clientId: texts, clientSecret: fc.constant(secret), scopes: texts })
    }),
    objectOf({
      command: fc.constantFrom("npx", "node", "uvx", "docker", "cmd"),
      args: fc.constantFrom(
        ["-y", "mcp-remote", "https://api.example/mcp", "--header", `Authorization: Bearer ${secret}`],
        ["-y", "mcp-remote@latest", "https://api.example/mcp", "--header", "Authorization:${AUTH}", "3334"],
        ["-y", "server", "--api-key", secret],
        ["-y", "server", `--token=${secret}`],
        ["run", "-i", "--rm", "-e", `API_KEY=${secret}`, "image"],
        []
      ),
      env: fc.constantFrom({}, { API_KEY: secret }, { AUTH: `Bearer ${secret}`, PATH: "/bin" })
    })
  )
  const table = fc.dictionary(fc.constantFrom("notes", "a b", "__proto__", "", "é"), entry, { maxKeys: 3 })
  return fc.oneof(
    table.map((servers) => ({ mcpServers: servers })),
    table.map((servers) => ({ servers, inputs: [{ id: "key", type: "promptString", password: true }] })),
    table.map((servers) => ({ context_servers: servers })),
    table.map((servers) => ({ mcp: { servers } })),
    table.map((servers) => ({ projects: { "/home": { mcpServers: servers } } })),
    fc.array(fc.tuple(names, entry), { maxLength: 2 }).map((entries) => ({
      mcpServers: entries.map(([name, value]) => ({ name, ...value }))
    })),
    objectOf({
      mcp_configs: fc.dictionary(
        names,
        objectOf({ mcp_config: fc.array(objectOf({ server_name: names, config: entry }), { maxLength: 2 }) }),
        { maxKeys: 2 }
      )
    })
  )
}

/** JSON texts; where they are damaged there is no secret, because it could stand anywhere then. */
const asTexts = (documents: (secret: string) => fc.Arbitrary<object>, secret: string): fc.Arbitrary<string> =>
  fc.oneof(
    documents(secret).map((document) => JSON.stringify(document)),
    sometimesDamaged(
      documents("no-secret-at-all-but-long-enough").map((document) => JSON.stringify(document)),
      hostileText()
    )
  )

/** Texts of configuration files of the gateway. */
export const configurationTexts = (secret: string): fc.Arbitrary<string> => asTexts(gatewayDocument, secret)

/** Texts of configuration files of other programs. */
export const foreignTexts = (secret: string): fc.Arbitrary<string> => asTexts(foreignDocument, secret)
