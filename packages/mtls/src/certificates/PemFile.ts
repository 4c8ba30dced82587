import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { createHash, createPrivateKey, X509Certificate } from "node:crypto"
import type { FileContent } from "./CertificateContents.ts"
import { type ClientCertificate, described, passphraseProblem, unusable } from "./ClientCertificate.ts"

/** The pair of `client_cert_path` and `client_key_path`. */
export const parsePemPair = Effect.fnUntraced(function* (
  certificateFile: FileContent,
  keyFile: FileContent,
  passphrase: Redacted.Redacted | undefined
) {
  const certificates = yield* parseCertificates(certificateFile)
  const [certificate] = certificates
  const privateKey = yield* parsePrivateKey(keyFile, passphrase)
  if (!certificate.checkPrivateKey(privateKey)) {
    return yield* unusable(
      keyFile.key,
      `holds another key than that of the first certificate in ${certificateFile.path}: ${keyFile.path}. Configure the pair that belongs together`
    )
  }
  const chain = toPem(certificates)
  return {
    ...described(certificateFile, certificate),
    material: Redacted.make({
      cert: chain,
      key: privateKey.export({ type: "pkcs8", format: "pem" }).toString()
    }),
    // The private key is left out: it matches the certificate.
    contentHash: createHash("sha256").update(chain).digest("hex")
  } satisfies ClientCertificate
})

/** The authorities of `ca_bundle_path`, as PEM. */
export const parseAuthorities = (file: FileContent) => Effect.map(parseCertificates(file), toPem)

const parseCertificates = Effect.fnUntraced(function* (file: FileContent) {
  const [first, ...others] = textOf(file).match(certificateBlocks) ?? []
  if (first === undefined) {
    return yield* unusable(
      file.key,
      `holds no PEM certificate (BEGIN CERTIFICATE): ${file.path}. Convert other formats with openssl`
    )
  }
  const parse = (block: string) =>
    Effect.try({
      try: () => new X509Certificate(block),
      catch: () =>
        unusable(file.key, `holds a certificate that cannot be parsed: ${file.path}. Replace the file`)
    })
  return [yield* parse(first), ...(yield* Effect.forEach(others, parse))] as const
})

const textOf = ({ bytes }: FileContent): string => new TextDecoder().decode(Redacted.value(bytes))

const certificateBlocks = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

/** Written anew: TLS silently stops reading where two files were joined without a line end between them. */
const toPem = (certificates: ReadonlyArray<X509Certificate>): string => certificates.map(String).join("\n")

const parsePrivateKey = (file: FileContent, passphrase: Redacted.Redacted | undefined) =>
  Effect.try({
    try: () =>
      createPrivateKey({
        key: textOf(file),
        ...(passphrase === undefined ? {} : { passphrase: Redacted.value(passphrase) })
      }),
    catch: () => {
      if (encryptedKey.test(textOf(file))) return passphraseProblem(file, passphrase)
      return unusable(
        file.key,
        `holds no PEM private key that can be read: ${file.path}. Convert other formats with openssl`
      )
    }
  })

/** PKCS #8 (RFC 7468 §11) and the older way (RFC 1421 §4.6.1.1). */
const encryptedKey = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m
