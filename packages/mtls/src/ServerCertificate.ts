import { CertificateUnusable } from "@secure-mcp/oauth-core"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import { createSecureContext, type SecureContextOptions } from "node:tls"
import { readServerContents, type ServerCertificatePaths } from "./certificates/CertificateContents.ts"
import type { CertificateFiles } from "./certificates/CertificateFiles.ts"
import { type CertificateReader, openCertificateSource } from "./certificates/CertificateSource.ts"
import { makeExpiryWarnings } from "./certificates/ExpiryWarnings.ts"

export type { ServerCertificatePaths } from "./certificates/CertificateContents.ts"

/**
 * Sets up a TLS server with the certificate in its files, and again whenever they have changed, until the scope closes: the
 * files are read at an interval, because a watcher misses what happens on network file systems. Changed files that cannot be
 * used change nothing: a warning is logged. Log lines warn of a certificate that expires soon.
 *
 * Fails if the files cannot be used at the beginning, or hold a certificate that is expired or not yet valid. The `key` of the
 * error is `cert_path`, `key_path`, `key_passphrase` or `client_ca_path`.
 *
 * `setUp` is given what `tls.createServer` and `setSecureContext` take, the private key included: TLS 1.2 is the least.
 * `reloadInterval` says how often the files are read; default every 10 seconds.
 *
 * @example
 * ```ts
 * import { useServerCertificate } from "@secure-mcp/mtls"
 * import * as Effect from "effect/Effect"
 * import { createServer } from "node:https"
 *
 * const makeServer = Effect.gen(function* () {
 *   const server = createServer()
 *   yield* useServerCertificate(
 *     { certPath: "/etc/gateway/server.pem", keyPath: "/etc/gateway/server.key" },
 *     (options) => Effect.sync(() => server.setSecureContext(options))
 *   )
 *   return server
 * })
 * ```
 */
export const useServerCertificate = Effect.fn("ServerCertificate.use")(function* (
  paths: ServerCertificatePaths,
  setUp: (options: SecureContextOptions) => Effect.Effect<void>,
  { reloadInterval = "10 seconds" }: { readonly reloadInterval?: Duration.Input | undefined } = {}
): Effect.fn.Return<void, CertificateUnusable, FileSystem.FileSystem | Scope.Scope> {
  const source = yield* openCertificateSource(readerOf(paths), serverOptions)
  const warnOfExpiry = makeExpiryWarnings({
    certificate: "The certificate of the server",
    consequence: "clients refuse it"
  })
  const first = yield* source.built
  const inUse = yield* Ref.make(first)
  yield* setUp(first)
  yield* warnOfExpiry((yield* source.loaded).client)

  const round = Effect.gen(function* () {
    yield* source.reload
    const { built, client } = yield* source.loaded
    if ((yield* Ref.getAndSet(inUse, built)) !== built) yield* setUp(built)
    yield* warnOfExpiry(client)
  })
  yield* Effect.forkScoped(Effect.forever(Effect.delay(round, reloadInterval)))
})

/** Whether the files of a TLS server can be used now; fails as `useServerCertificate` does. */
export const checkServerCertificate = (
  paths: ServerCertificatePaths
): Effect.Effect<void, CertificateUnusable, FileSystem.FileSystem> =>
  Effect.asVoid(Effect.flatMap(openCertificateSource(readerOf(paths), serverOptions), ({ built }) => built))

const readerOf = (paths: ServerCertificatePaths): CertificateReader => ({
  read: readServerContents(paths),
  passphrase: paths.keyPassphrase,
  paths: [paths.certPath, paths.keyPath, paths.clientCaPath],
  certificate: "The certificate of the server"
})

const serverOptions = ({
  authorities,
  client
}: CertificateFiles): Effect.Effect<SecureContextOptions, CertificateUnusable> => {
  const options: SecureContextOptions = {
    minVersion: "TLSv1.2",
    ...(authorities === undefined ? {} : { ca: authorities }),
    ...(client === undefined ? {} : Redacted.value(client.material))
  }
  return Effect.try({
    // Its only purpose is to find out that OpenSSL accepts them.
    try: () => createSecureContext(options),
    catch: (cause) =>
      new CertificateUnusable({
        key: "cert_path",
        problem: `is not accepted for TLS (${codeOf(cause)}). Use a certificate with a stronger key or signature`
      })
  }).pipe(Effect.as(options))
}

const codeOf = (cause: unknown): string =>
  Predicate.hasProperty(cause, "code") ? String(cause.code) : "unknown reason"
