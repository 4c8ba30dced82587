import { assert, describe, it } from "@effect/vitest"
import { describeConnectionFailure } from "@secure-mcp/oauth-core"
import { clientCertificateAdvice } from "@secure-mcp/oauth-core/internal"

const failure = (code: string, message = "") => Object.assign(new Error(message), { code })

const described = (error: unknown, useMtls = true, https = true) =>
  describeConnectionFailure(error, { https, useMtls })

describe("describeConnectionFailure", () => {
  it.each([
    [
      "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
      false,
      "it asks for a client certificate",
      "See `use_mtls`"
    ],
    [
      "ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED",
      true,
      "it says that the client certificate has expired",
      "Get a new one, or compare the clocks of both machines"
    ],
    [
      "ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE",
      true,
      "it refused the TLS handshake (BAD_CERTIFICATE)",
      clientCertificateAdvice
    ],
    [
      "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA",
      false,
      "it refused the TLS handshake (UNKNOWN_CA)",
      "If it asks for a client certificate, see `use_mtls`"
    ],
    ["ECONNRESET", false, "the connection was reset", "If it asks for a client certificate, see `use_mtls`"],
    [
      "ERR_TLS_CERT_ALTNAME_INVALID",
      true,
      "its certificate is for another host",
      "Check the host name in the URL"
    ],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", true, "its certificate is self-signed", "See `ca_bundle_path`"]
  ])("%s, with a client certificate: %s", (code, useMtls, problem, advice) => {
    assert.deepStrictEqual(described(failure(code), useMtls), { code, problem, advice })
  })

  it("the message does not mention certificates where there is no TLS", () => {
    assert.deepStrictEqual(described(failure("ECONNRESET"), false, false), {
      code: "ECONNRESET",
      problem: "the connection was reset"
    })
  })

  it("an unknown code is shown unchanged, and the innermost code is used", () => {
    const error = new Error("fetch failed", { cause: failure("UND_ERR_OTHER", "at https://host/?secret=1") })
    assert.deepStrictEqual(described(error), { code: "UND_ERR_OTHER", problem: "UND_ERR_OTHER" })
  })

  it.each([new Error("secret"), failure("not a code: secret"), "secret", undefined])(
    "an error without a code is not quoted",
    (error) => {
      assert.deepStrictEqual(described(error), { problem: "the connection broke" })
    }
  )

  it("a parse error of undici is recognised by its name", () => {
    const error = Object.assign(new Error("Expected HTTP/"), { name: "HTTPParserError" })
    assert.strictEqual(described(error).problem, "what came back is not HTTP")
  })
})
