import { CertificateUnusable, type OAuthConfig } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import { createHash, createPrivateKey, X509Certificate } from "node:crypto"

/** The part of a configuration that says which certificates its connections use. */
export type CertificatePaths = Pick<
  OAuthConfig,
  "useMtls" | "clientCertPath" | "clientKeyPath" | "caBundlePath"
>

/** What the files hold, checked. */
export interface CertificateFiles {
  readonly client: ClientCertificate | undefined
  /** PEM of the authorities that are trusted instead of the system's. */
  readonly authorities: string | undefined
}

/** A certificate with its private key, as PEM. */
export interface ClientCertificate {
  /** The client's own certificate, then the intermediate ones. */
  readonly chain: string
  readonly privateKey: Redacted.Redacted
  /** `x5t#S256`: base64url of the SHA-256 of the DER certificate (RFC 8705 §3.1). */
  readonly thumbprint: string
}

/** Reads and checks the files of a configuration. Errors name the file and never quote it. */
export const readCertificateFiles = Effect.fn("CertificateFiles.read")(function* (paths: CertificatePaths) {
  return {
    client: paths.useMtls
      ? yield* readClientCertificate(
          yield* required("client_cert_path", paths.clientCertPath),
          yield* required("client_key_path", paths.clientKeyPath)
        )
      : undefined,
    authorities:
      paths.caBundlePath === undefined
        ? undefined
        : toPem(yield* readCertificates("ca_bundle_path", paths.caBundlePath))
  } satisfies CertificateFiles
})

const readClientCertificate = Effect.fnUntraced(function* (certificatePath: string, keyPath: string) {
  const certificates = yield* readCertificates("client_cert_path", certificatePath)
  const [certificate] = certificates
  const privateKey = yield* readPrivateKey(keyPath)
  if (!certificate.checkPrivateKey(privateKey)) {
    return yield* unusable(
      "client_key_path",
      `holds another key than that of the first certificate in ${certificatePath}: ${keyPath}. Configure the pair that belongs together`
    )
  }
  return {
    chain: toPem(certificates),
    privateKey: Redacted.make(privateKey.export({ type: "pkcs8", format: "pem" }).toString()),
    thumbprint: thumbprintOf(certificate)
  } satisfies ClientCertificate
})

const readText = Effect.fnUntraced(function* (key: string, path: string) {
  const files = yield* FileSystem.FileSystem
  return yield* files
    .readFileString(path)
    .pipe(Effect.mapError(({ reason: { _tag: reason } }) => unusable(key, readProblem(reason, path))))
})

const readProblem = (reason: string, path: string): string => {
  if (reason === "NotFound") return `names a file that does not exist: ${path}. Check the path`
  if (reason === "PermissionDenied") {
    return `names a file that this process may not read: ${path}. Check its owner and its mode`
  }
  return `names something that cannot be read as a file (${reason}): ${path}. Check the path`
}

const readCertificates = Effect.fnUntraced(function* (key: string, path: string) {
  const [first, ...others] = (yield* readText(key, path)).match(certificateBlocks) ?? []
  if (first === undefined) {
    return yield* unusable(
      key,
      `holds no PEM certificate (BEGIN CERTIFICATE): ${path}. Convert other formats with openssl`
    )
  }
  const parse = (block: string) =>
    Effect.try({
      try: () => new X509Certificate(block),
      catch: () => unusable(key, `holds a certificate that cannot be parsed: ${path}. Replace the file`)
    })
  return [yield* parse(first), ...(yield* Effect.forEach(others, parse))] as const
})

const certificateBlocks = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

/** Written anew: TLS silently stops reading where two files were joined without a line end between them. */
const toPem = (certificates: ReadonlyArray<X509Certificate>): string => certificates.map(String).join("\n")

const readPrivateKey = Effect.fnUntraced(function* (path: string) {
  const pem = Redacted.make(yield* readText("client_key_path", path))
  return yield* Effect.try({
    try: () => createPrivateKey(Redacted.value(pem)),
    catch: () =>
      unusable(
        "client_key_path",
        encryptedKey.test(Redacted.value(pem))
          ? `holds an encrypted private key: ${path}. Decrypt it with openssl and protect the file by its mode`
          : `holds no PEM private key that can be read: ${path}. Convert other formats with openssl`
      )
  })
})

/** PKCS #8 (RFC 7468 §11) and the older way (RFC 1421 §4.6.1.1). */
const encryptedKey = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m

const thumbprintOf = (certificate: X509Certificate): string =>
  createHash("sha256").update(certificate.raw).digest("base64url")

const required = (key: string, path: string | undefined) =>
  path === undefined ? Effect.fail(unusable(key, "is required with `use_mtls`")) : Effect.succeed(path)

const unusable = (key: string, problem: string) => new CertificateUnusable({ key, problem })
