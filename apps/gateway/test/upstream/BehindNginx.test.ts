import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { nginxProgram, requireProgram } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { makeCertificates, startGatewayFor, startNginxServers, untilReloaded } from "./CertifiedServers.ts"
import { connect, echo } from "../http/McpClient.ts"

const provideFiles = Effect.provide(NodeServices.layer)

describe("servers behind nginx with ssl_verify_client", () => {
  let nginx: string | undefined
  beforeAll(() => {
    nginx = requireProgram(nginxProgram)
  })

  it.effect("a server behind nginx sees the certificate, and the MCP server the token", (test) =>
    Effect.gen(function* () {
      if (nginx === undefined) return test.skip("there is no nginx")
      const { authority, caBundlePath, issue } = yield* makeCertificates
      const client = yield* issue("client")
      const servers = yield* startNginxServers(nginx, authority)
      const gateway = yield* startGatewayFor(
        { ...servers, mcpUrl: servers.echoUrl },
        { ...client.keys, ca_bundle_path: caBundlePath }
      )
      const { client: mcpClient } = yield* connect(gateway.mcp("remote"), "2026-07-28")
      assert.strictEqual(yield* echo(mcpClient), "Received token: token-1...")
      assert.deepStrictEqual(yield* servers.shownToTokenEndpoint, [client.thumbprintSha256])
    }).pipe(provideFiles)
  )

  it.effect(
    "a server behind nginx gets a new certificate, and a token obtained with it, when files change",
    (test) =>
      Effect.gen(function* () {
        if (nginx === undefined) return test.skip("there is no nginx")
        const files = yield* FileSystem.FileSystem
        const { authority, caBundlePath, issue } = yield* makeCertificates
        const first = yield* issue("first")
        const second = yield* issue("second")
        const servers = yield* startNginxServers(nginx, authority)
        const gateway = yield* startGatewayFor(servers, { ...first.keys, ca_bundle_path: caBundlePath })
        yield* gateway.ask
        yield* gateway.ask
        yield* files.writeFileString(first.keys.client_cert_path, second.certificatePem)
        yield* files.writeFileString(first.keys.client_key_path, second.privateKeyPem)
        yield* untilReloaded(gateway.logs)
        yield* gateway.ask

        const shown = [first, second].map(({ thumbprintSha256 }) => thumbprintSha256)
        assert.deepStrictEqual(yield* servers.shownToTokenEndpoint, shown)
        assert.deepStrictEqual(yield* servers.shownToMcpServer, [shown[0], ...shown])
        assert.deepStrictEqual(yield* servers.tokens, ["Bearer token-1", "Bearer token-1", "Bearer token-2"])
      }).pipe(provideFiles)
  )

  it.effect.each([
    {
      which: "a certificate of an authority it does not trust",
      advice:
        "It does not accept the client certificate. Check that the client certificate is the one registered there, of an authority the server trusts, and neither expired nor revoked"
    },
    {
      which: "a revoked certificate",
      advice:
        "It does not accept the client certificate. Check that the client certificate is the one registered there, of an authority the server trusts, and neither expired nor revoked"
    },
    {
      which: "no certificate",
      advice: "It asks for a client certificate. See `use_mtls`"
    }
  ])("nginx refuses $which", ({ advice, which }, test) =>
    Effect.gen(function* () {
      if (nginx === undefined) return test.skip("there is no nginx")
      const { authority, caBundlePath, issue, issueForeign } = yield* makeCertificates
      const client = yield* which === "a revoked certificate" ? issue("revoked") : issueForeign("foreign")
      const crl = yield* authority.revoke([client])
      const servers = yield* startNginxServers(nginx, authority, { crl })
      const { failure } = yield* startGatewayFor(servers, {
        ...(which === "no certificate" ? {} : client.keys),
        ca_bundle_path: caBundlePath
      })
      assert.deepStrictEqual(yield* failure, {
        reason: "RequestRefused",
        message: `Could not get an access token for server "remote": the token endpoint ${servers.tokenUrl} refused the request with HTTP 400. ${advice}`
      })
      assert.deepStrictEqual(yield* servers.shownToTokenEndpoint, [])
    }).pipe(provideFiles)
  )
})
