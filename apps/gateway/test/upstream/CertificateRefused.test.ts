import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { canary, Certificates, opensslProgram, requireProgram } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { makeCertificates, startGatewayFor, startNodeServers, untilReloaded } from "./CertifiedServers.ts"
import { startOpensslServer } from "./OpensslServer.ts"

const provideFiles = Effect.provide(NodeServices.layer)

const noToken = 'Could not get an access token for server "remote": '
const unusable = `${noToken}the client certificate cannot be used: `
const noAnswer = 'The MCP server "remote" gave no answer: '
const unreachable = (tokenUrl: string) => `${noToken}the token endpoint ${tokenUrl} could not be reached `
const checkCertificate =
  "Check that the client certificate is the one registered there, of an authority the server trusts, and neither expired nor revoked"

describe("a client certificate that cannot be used", () => {
  it.effect("nothing is sent with an expired certificate", () =>
    Effect.gen(function* () {
      const { authority, caBundlePath, issue } = yield* makeCertificates
      const servers = yield* startNodeServers(authority)
      const { keys } = yield* issue("old", Certificates.expired)
      const { failure } = yield* startGatewayFor(servers, { ...keys, ca_bundle_path: caBundlePath })
      assert.deepStrictEqual(yield* failure, {
        reason: "CertificateUnusable",
        message: `${unusable}\`client_cert_path\` holds a certificate that expired on 2021-01-01T00:00:00.000Z: ${keys.client_cert_path}. Put a new one there; it is used without a restart`
      })
      assert.deepStrictEqual(yield* servers.letIn, [])
    }).pipe(provideFiles)
  )

  it.effect("nothing is sent with a certificate that is not valid yet", () =>
    Effect.gen(function* () {
      const { authority, caBundlePath, issue } = yield* makeCertificates
      const servers = yield* startNodeServers(authority)
      const { keys } = yield* issue("early", Certificates.notYetValid)
      const { failure } = yield* startGatewayFor(servers, { ...keys, ca_bundle_path: caBundlePath })
      assert.deepStrictEqual(yield* failure, {
        reason: "CertificateUnusable",
        message: `${unusable}\`client_cert_path\` holds a certificate that is not valid before 2048-01-01T00:00:00.000Z: ${keys.client_cert_path}. Check the clock of this machine, or put one there that is valid now`
      })
      assert.deepStrictEqual(yield* servers.letIn, [])
    }).pipe(provideFiles)
  )

  it.effect("nothing is sent with the key of another certificate", () =>
    Effect.gen(function* () {
      const { authority, caBundlePath, issue } = yield* makeCertificates
      const servers = yield* startNodeServers(authority)
      const { keys } = yield* issue("one")
      const { keys: other } = yield* issue("other")
      const { failure } = yield* startGatewayFor(servers, {
        ...keys,
        client_key_path: other.client_key_path,
        ca_bundle_path: caBundlePath
      })
      assert.deepStrictEqual(yield* failure, {
        reason: "CertificateUnusable",
        message: `${unusable}\`client_key_path\` holds another key than that of the first certificate in ${keys.client_cert_path}: ${other.client_key_path}. Configure the pair that belongs together`
      })
      assert.deepStrictEqual(yield* servers.letIn, [])
    }).pipe(provideFiles)
  )

  it.effect("nothing is sent with a key that cannot be decrypted", () =>
    Effect.gen(function* () {
      const { authority, caBundlePath, issue } = yield* makeCertificates
      const servers = yield* startNodeServers(authority)
      const { keys } = yield* issue("encrypted", { passphrase: canary("passphrase") })
      const wrong = { client_key_passphrase: canary("wrong"), ca_bundle_path: caBundlePath }
      const { failure } = yield* startGatewayFor(servers, { ...keys, ...wrong })
      assert.deepStrictEqual(yield* failure, {
        reason: "CertificateUnusable",
        message: `${unusable}\`client_key_passphrase\` does not open the private key in ${keys.client_key_path}. Check the passphrase, and that the file is whole`
      })
      assert.deepStrictEqual(yield* servers.letIn, [])
    }).pipe(provideFiles)
  )
})

describe("a server with Node's TLS", () => {
  it.effect.each(["an authority it does not trust", "a revoked certificate"])(
    "a Node server hangs up on %s",
    (which) =>
      Effect.gen(function* () {
        const { authority, caBundlePath, issue, issueForeign } = yield* makeCertificates
        const client = yield* which === "a revoked certificate" ? issue("revoked") : issueForeign("foreign")
        const crl = yield* authority.revoke([client])
        const strict = yield* startNodeServers(authority, { crl })
        const open = yield* startNodeServers(authority, { open: true })
        const keys = { ...client.keys, ca_bundle_path: caBundlePath }
        const said = `It may have refused the client certificate. ${checkCertificate}`

        const atTokenEndpoint = yield* startGatewayFor({ ...open, tokenUrl: strict.tokenUrl }, keys)
        assert.deepStrictEqual(yield* atTokenEndpoint.failure, {
          reason: "ConnectionFailed",
          message: `${unreachable(strict.tokenUrl)}(the connection was closed before an answer came). ${said}`
        })
        const atMcpServer = yield* startGatewayFor({ ...open, mcpUrl: strict.mcpUrl }, keys)
        assert.deepStrictEqual(yield* atMcpServer.failure, {
          reason: "UpstreamUnreachable",
          message: `${noAnswer}the connection was closed before an answer came. The request may have been carried out. ${said}`
        })
        assert.deepStrictEqual(yield* strict.letIn, [])
      }).pipe(provideFiles)
  )

  it.effect.each([
    {
      which: "has expired",
      certificate: Certificates.expired,
      problem: "its certificate has expired",
      advice: "Its operator has to replace it"
    },
    {
      which: "is not valid yet",
      certificate: Certificates.notYetValid,
      problem: "its certificate is not valid yet",
      advice: "Check the clock of this machine"
    }
  ])("nothing is sent to a server whose own certificate $which", ({ advice, certificate, problem }) =>
    Effect.gen(function* () {
      const { authority, caBundlePath, issue } = yield* makeCertificates
      const { keys } = yield* issue("client")
      const strict = yield* startNodeServers(authority, { certificate })
      const open = yield* startNodeServers(authority, { open: true })

      const both = { ...keys, ca_bundle_path: caBundlePath }
      const atTokenEndpoint = yield* startGatewayFor({ ...open, tokenUrl: strict.tokenUrl }, both)
      assert.deepStrictEqual(yield* atTokenEndpoint.failure, {
        reason: "ConnectionFailed",
        message: `${unreachable(strict.tokenUrl)}(${problem}). ${advice}`
      })
      const atMcpServer = yield* startGatewayFor({ ...open, mcpUrl: strict.mcpUrl }, both)
      assert.deepStrictEqual(yield* atMcpServer.failure, {
        reason: "UpstreamUnreachable",
        message: `${noAnswer}${problem}. The request was not carried out. ${advice}`
      })
      assert.deepStrictEqual(yield* strict.letIn, [])
    }).pipe(provideFiles)
  )

  it.effect("nothing is sent to a server whose authority was removed from the bundle", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const { authority, caBundlePath, issue, stranger } = yield* makeCertificates
      const { keys } = yield* issue("client")
      const servers = yield* startNodeServers(authority)
      const gateway = yield* startGatewayFor(servers, { ...keys, ca_bundle_path: caBundlePath })
      assert.strictEqual((yield* gateway.ask).status, 200)

      yield* files.writeFileString(caBundlePath, stranger.certificatePem)
      yield* untilReloaded(gateway.logs)
      assert.deepStrictEqual(yield* gateway.failure, {
        reason: "UpstreamUnreachable",
        message: `${noAnswer}its certificate is not of an authority that is trusted here. The request was not carried out. See \`ca_bundle_path\``
      })
      const another = yield* startGatewayFor(servers, { ...keys, ca_bundle_path: caBundlePath })
      assert.deepStrictEqual(yield* another.failure, {
        reason: "ConnectionFailed",
        message: `${unreachable(servers.tokenUrl)}(its certificate is not of an authority that is trusted here). See \`ca_bundle_path\``
      })
      assert.deepStrictEqual(yield* servers.letIn, ["/token", "/mcp"])
    }).pipe(provideFiles)
  )
})

describe("OpenSSL's own server, which says why", () => {
  let openssl: string | undefined
  beforeAll(() => {
    openssl = requireProgram(opensslProgram)
  })

  it.effect.each([
    {
      which: "an authority it does not trust",
      problem: "it does not trust the authority that signed the client certificate",
      advice: "Use a certificate of an authority that it trusts"
    },
    {
      which: "a revoked certificate",
      problem: "it says that the client certificate was revoked",
      advice: "Get a new one"
    },
    {
      which: "no certificate",
      problem: "it refused the TLS handshake (HANDSHAKE_FAILURE)",
      advice: "If it asks for a client certificate, see `use_mtls`"
    }
  ])("OpenSSL's own server refuses $which", ({ advice, problem, which }, test) =>
    Effect.gen(function* () {
      if (openssl === undefined) return test.skip("there is no openssl")
      const { authority, caBundlePath, issue, issueForeign } = yield* makeCertificates
      const client = yield* which === "a revoked certificate" ? issue("revoked") : issueForeign("foreign")
      const crl = yield* authority.revoke([client])
      const url = yield* startOpensslServer(openssl, authority, crl)
      const open = yield* startNodeServers(authority, { open: true })
      const keys = { ...(which === "no certificate" ? {} : client.keys), ca_bundle_path: caBundlePath }

      const atTokenEndpoint = yield* startGatewayFor({ ...open, tokenUrl: url }, keys)
      assert.deepStrictEqual(yield* atTokenEndpoint.failure, {
        reason: "ConnectionFailed",
        message: `${unreachable(url)}(${problem}). ${advice}`
      })
      const atMcpServer = yield* startGatewayFor({ ...open, mcpUrl: url }, keys)
      assert.deepStrictEqual(yield* atMcpServer.failure, {
        reason: "UpstreamUnreachable",
        message: `${noAnswer}${problem}. The request was not carried out. ${advice}`
      })
    }).pipe(provideFiles)
  )
})
