import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import { OAuthToken } from "@secure-mcp/oauth-core"

export const accessToken = "contract-access-token-~.+/="
export const refreshToken = "contract-refresh-token-ü-日本"

export const full = new OAuthToken({
  accessToken: Redacted.make(accessToken),
  tokenType: "Bearer",
  scope: ["mcp:read", "mcp:write"],
  refreshToken: Redacted.make(refreshToken),
  issuedAt: 1_700_000_000_000,
  expiresAt: 1_700_000_300_500,
  reusable: true
})
export const plain = new OAuthToken({
  accessToken: Redacted.make("x".repeat(8192)),
  tokenType: "Bearer",
  issuedAt: 1_700_000_000_001,
  reusable: true
})
export const spent = new OAuthToken({ ...full, scope: [], reusable: false })
export const numbered = (number: number) =>
  new OAuthToken({ ...plain, accessToken: Redacted.make(`contract-access-token-${number}`) })

export const short = Duration.seconds(2)
export const long = Duration.hours(1)
