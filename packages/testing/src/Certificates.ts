// tsyringe, below @peculiar/x509, needs the Reflect metadata API when it is loaded: this import stays first.
import "reflect-metadata"
import * as x509 from "@peculiar/x509"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import { createHash, KeyObject, webcrypto } from "node:crypto"

/** How a certificate is issued. */
export interface CertificateOptions {
  /** Default 1970-01-01. */
  readonly notBefore?: Date
  /** Default 2049-01-01. */
  readonly notAfter?: Date
  /** P-256 or 2048 bits. Default EC, which is generated much faster. */
  readonly keyType?: "EC" | "RSA"
  /** Encrypts the private key's PEM (PKCS #8, AES-256-CBC). */
  readonly passphrase?: string
}

/** A certificate with its key, in memory. */
export interface IssuedCertificate {
  readonly certificatePem: string
  /** PKCS #8. */
  readonly privateKeyPem: string
  /** Base64url SHA-256 of the DER certificate: the `x5t#S256` of RFC 8705 §3.1. */
  readonly thumbprintSha256: string
  /** Writes `<name>-cert.pem` and `<name>-key.pem`. */
  readonly writeTo: (
    directory: string,
    name: string
  ) => Effect.Effect<
    { readonly certificatePath: string; readonly privateKeyPath: string },
    PlatformError,
    FileSystem.FileSystem | Path.Path
  >
}

/** An authority that issues and revokes certificates, in memory. */
export interface CertificateAuthority {
  readonly certificatePem: string
  /** For 127.0.0.1, ::1, localhost and the `names` given. */
  readonly issueServer: (
    options?: CertificateOptions & { readonly names?: ReadonlyArray<string> }
  ) => Effect.Effect<IssuedCertificate>
  readonly issueClient: (commonName: string, options?: CertificateOptions) => Effect.Effect<IssuedCertificate>
  /** PEM of a list of revoked certificates (RFC 5280 §5), good until 2049. */
  readonly revoke: (certificates: ReadonlyArray<IssuedCertificate>) => Effect.Effect<string>
  /** Writes `<name>-cert.pem` and gives its path. */
  readonly writeTo: (
    directory: string,
    name: string
  ) => Effect.Effect<string, PlatformError, FileSystem.FileSystem | Path.Path>
}

/** Two authorities do not trust each other's certificates, also when they have the same name. */
const makeAuthority = Effect.fnUntraced(function* (name: string): Effect.fn.Return<CertificateAuthority> {
  const keys = yield* generateKeys("EC")
  const certificate = yield* Effect.promise(async () =>
    x509.X509CertificateGenerator.createSelfSigned({
      ...validity({}),
      name: [{ CN: [name] }],
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey)
      ]
    })
  )
  const issue = makeIssue(certificate, keys)
  const certificatePem = certificate.toString("pem")

  return {
    certificatePem,
    issueServer: (options) =>
      issue("localhost", x509.ExtendedKeyUsage.serverAuth, options, [
        new x509.SubjectAlternativeNameExtension([
          { type: "ip", value: "127.0.0.1" },
          { type: "ip", value: "::1" },
          { type: "dns", value: "localhost" },
          ...(options?.names ?? []).map((value) => ({ type: "dns" as const, value }))
        ])
      ]),
    issueClient: (commonName, options) => issue(commonName, x509.ExtendedKeyUsage.clientAuth, options),
    revoke: (certificates) => revocationList(certificate, keys, certificates),
    writeTo: (directory, name) => writeFile(directory, `${name}-cert.pem`, certificatePem)
  }
})

/** A self-signed certificate, for `self_signed_tls_client_auth` (RFC 8705 §2.2). */
const selfSignedClient = Effect.fnUntraced(function* (commonName: string, options: CertificateOptions = {}) {
  const keys = yield* generateKeys(options.keyType ?? "EC")
  const certificate = yield* Effect.promise(() =>
    x509.X509CertificateGenerator.createSelfSigned({
      ...validity(options),
      name: [{ CN: [commonName] }],
      keys,
      extensions: [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])]
    })
  )
  return issuedCertificate(certificate, keys.privateKey, options.passphrase)
})

/** Certificates for tests: authorities, and clients that sign for themselves. */
export const Certificates = {
  makeAuthority,
  selfSignedClient,
  /** Options of an expired certificate. */
  expired: { notBefore: new Date("2020-01-01"), notAfter: new Date("2021-01-01") },
  /** Options of a certificate that is not valid yet. */
  notYetValid: { notBefore: new Date("2048-01-01"), notAfter: new Date("2049-01-01") }
} as const

const makeIssue = (authority: x509.X509Certificate, authorityKeys: webcrypto.CryptoKeyPair) =>
  Effect.fnUntraced(function* (
    commonName: string,
    usage: x509.ExtendedKeyUsage,
    options: CertificateOptions = {},
    extensions: ReadonlyArray<x509.Extension> = []
  ) {
    const keys = yield* generateKeys(options.keyType ?? "EC")
    const certificate = yield* Effect.promise(async () =>
      x509.X509CertificateGenerator.create({
        ...validity(options),
        subject: [{ CN: [commonName] }],
        issuer: authority.subjectName,
        publicKey: keys.publicKey,
        signingKey: authorityKeys.privateKey,
        signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([usage]),
          await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
          await x509.AuthorityKeyIdentifierExtension.create(authorityKeys.publicKey),
          ...extensions
        ]
      })
    )
    return issuedCertificate(certificate, keys.privateKey, options.passphrase)
  })

const revocationList = (
  authority: x509.X509Certificate,
  { privateKey: signingKey }: webcrypto.CryptoKeyPair,
  revoked: ReadonlyArray<IssuedCertificate>
) =>
  Effect.promise(async () => {
    const { notAfter: nextUpdate, notBefore: thisUpdate } = validity({})
    const list = await x509.X509CrlGenerator.create({
      issuer: authority.subject,
      thisUpdate,
      nextUpdate,
      entries: revoked.map(({ certificatePem }) => ({
        serialNumber: new x509.X509Certificate(certificatePem).serialNumber,
        revocationDate: thisUpdate
      })),
      signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
      signingKey
    })
    // OpenSSL does not support the library's own name for it.
    return x509.PemConverter.encode(list.rawData, "X509 CRL")
  })

const issuedCertificate = (
  certificate: x509.X509Certificate,
  privateKey: webcrypto.CryptoKey,
  passphrase: string | undefined
): IssuedCertificate => {
  const certificatePem = certificate.toString("pem")
  const privateKeyPem = KeyObject.from(privateKey)
    .export({
      type: "pkcs8",
      format: "pem",
      ...(passphrase === undefined ? {} : { cipher: "aes-256-cbc", passphrase })
    })
    .toString()
  return {
    certificatePem,
    privateKeyPem,
    thumbprintSha256: createHash("sha256").update(Buffer.from(certificate.rawData)).digest("base64url"),
    writeTo: (directory, name) =>
      Effect.all({
        certificatePath: writeFile(directory, `${name}-cert.pem`, certificatePem),
        privateKeyPath: writeFile(directory, `${name}-key.pem`, privateKeyPem)
      })
  }
}

// Fixed dates: TLS reads the machine's clock, not Effect's, and a certificate must be the same in every test. Those of a
// TestClock, which starts in 1970, are among them.
const validity = ({ notAfter, notBefore }: CertificateOptions) => ({
  notBefore: notBefore ?? new Date(0),
  notAfter: notAfter ?? new Date("2049-01-01")
})

const generateKeys = (keyType: "EC" | "RSA"): Effect.Effect<webcrypto.CryptoKeyPair> =>
  Effect.promise(() =>
    keyType === "EC"
      ? webcrypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"])
      : webcrypto.subtle.generateKey(
          {
            name: "RSASSA-PKCS1-v1_5",
            hash: "SHA-256",
            modulusLength: 2048,
            publicExponent: new Uint8Array([1, 0, 1])
          },
          true,
          ["sign", "verify"]
        )
  )

const writeFile = Effect.fnUntraced(function* (directory: string, name: string, content: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const file = path.join(directory, name)
  yield* fileSystem.writeFileString(file, content, { mode: 0o600 })
  return file
})
