// Injection alone: a token that one has, into an entry of a configuration.
import assert from "node:assert/strict"
import { injectToken } from "@secure-mcp/transport-injection"
import * as Redacted from "effect/Redacted"

const entry = { server_name: "api", config: { url: "https://mcp.example.com/mcp" }, oauth: { enabled: true } }
const { config } = injectToken(entry, Redacted.make("a-token"))
assert.deepEqual(config.headers, { Authorization: "Bearer a-token" })
