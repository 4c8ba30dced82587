import { CertificateUnusable } from "@secure-mcp/oauth-core"
import * as DateTime from "effect/DateTime"
import type * as Redacted from "effect/Redacted"
import { createHash, type X509Certificate } from "node:crypto"
import type { SecureContextOptions } from "node:tls"

/** A file that a configuration names. */
export interface NamedFile {
  /** The configuration key that names it. */
  readonly key: string
  readonly path: string
  /** The configuration key of the passphrase that opens it, if it is encrypted. */
  readonly passphraseKey: string
}

/** A certificate with its private key, checked to belong together. */
export interface ClientCertificate {
  /** The file of the certificate. */
  readonly file: NamedFile
  /** `x5t#S256`: base64url of the SHA-256 of the DER certificate (RFC 8705 §3.1). */
  readonly thumbprint: string
  /** Milliseconds since the epoch, like `expiresAt`. */
  readonly validFrom: number
  readonly expiresAt: number
  /** What TLS is set up with. */
  readonly material: Redacted.Redacted<ClientMaterial>
  /** Equal for files with equal contents. */
  readonly contentHash: string
}

export type ClientMaterial = Pick<SecureContextOptions, "cert" | "key" | "pfx" | "passphrase">

/** What the certificate itself says. */
export const described = (file: NamedFile, certificate: X509Certificate) => ({
  file,
  thumbprint: createHash("sha256").update(certificate.raw).digest("base64url"),
  validFrom: certificate.validFromDate.getTime(),
  expiresAt: certificate.validToDate.getTime()
})

/** Why a certificate cannot be used at a time; a server's refusal would say less. */
export const validityProblem = (
  { expiresAt, file, validFrom }: ClientCertificate,
  now: number
): CertificateUnusable | undefined => {
  if (now > expiresAt) {
    return unusable(
      file.key,
      `holds a certificate that expired on ${isoDate(expiresAt)}: ${file.path}. Put a new one there; it is used without a restart`
    )
  }
  if (now < validFrom) {
    return unusable(
      file.key,
      `holds a certificate that is not valid before ${isoDate(validFrom)}: ${file.path}. Check the clock of this machine, or put one there that is valid now`
    )
  }
  return undefined
}

/** An encrypted file could not be opened. */
export const passphraseProblem = (
  { passphraseKey, path }: NamedFile,
  passphrase: Redacted.Redacted | undefined
) =>
  unusable(
    passphraseKey,
    passphrase === undefined
      ? `is required: the private key is encrypted in ${path}. Configure its passphrase, best as \`\${env:…}\``
      : `does not open the private key in ${path}. Check the passphrase, and that the file is whole`
  )

export const isoDate = (milliseconds: number): string => DateTime.formatIso(DateTime.makeUnsafe(milliseconds))

export const unusable = (key: string, problem: string) => new CertificateUnusable({ key, problem })
