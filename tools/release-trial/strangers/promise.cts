// The client with Promises in CommonJS, through `require` of an ES module.
const assert: typeof import("node:assert/strict") = require("node:assert/strict")
const oauth: typeof import("@secure-mcp/oauth-client") = require("@secure-mcp/oauth-client")

const { createOAuthClient, OAuthClientError } = oauth

const client = createOAuthClient({
  serverUrl: "https://mcp.example.com/mcp",
  token_url: "https://127.0.0.1:1/token",
  client_id: "me",
  client_secret: "s"
})
void client.getAccessToken().then(
  () => assert.fail("There is no such server"),
  (error: unknown) => {
    assert.ok(error instanceof OAuthClientError)
    assert.equal(error.reason, "ConnectionFailed")
  }
)
