import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { createHash } from "node:crypto"
import { Duplex } from "node:stream"
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls"
import type { FileContent } from "./CertificateContents.ts"
import {
  type ClientCertificate,
  type ClientMaterial,
  described,
  passphraseProblem,
  unusable
} from "./ClientCertificate.ts"

/** The file of `client_pkcs12_path` (RFC 7292), which holds the certificate, its key and intermediate ones. */
export const parsePkcs12 = Effect.fnUntraced(function* (
  file: FileContent,
  passphrase: Redacted.Redacted | undefined
) {
  const bytes = Redacted.value(file.bytes)
  const material: ClientMaterial = {
    pfx: Buffer.from(bytes),
    ...(passphrase === undefined ? {} : { passphrase: Redacted.value(passphrase) })
  }
  const secureContext = yield* Effect.try({
    try: () => createSecureContext(material),
    catch: (cause) => describe(file, passphrase, cause)
  })
  const certificate = ownCertificate(secureContext)
  if (certificate === undefined) return yield* unusable(file.key, incomplete(file.path))
  return {
    ...described(file, certificate),
    material: Redacted.make(material),
    contentHash: createHash("sha256").update(bytes).digest("hex")
  } satisfies ClientCertificate
})

/** The certificates that a server with these files would present; no connection is made for that. */
const ownCertificate = (secureContext: SecureContext) => {
  const socket = new TLSSocket(new Duplex({ read: () => {}, write: () => {} }), {
    isServer: true,
    secureContext
  })
  try {
    return socket.getX509Certificate()
  } finally {
    socket.destroy()
  }
}

const describe = (file: FileContent, passphrase: Redacted.Redacted | undefined, cause: unknown) => {
  const said = Predicate.hasProperty(cause, "message") ? String(cause.message) : ""
  if (said === "mac verify failure") return passphraseProblem(file, passphrase)
  return unusable(
    file.key,
    problems.find(([words]) => words.test(said))?.[1](file.path) ?? unreadable(file.path)
  )
}

const incomplete = (path: string) =>
  `holds no private key with its certificate: ${path}. Export both into it with openssl`

const unreadable = (path: string) =>
  `names no PKCS#12 file that can be read: ${path}. For PEM files use \`client_cert_path\` and \`client_key_path\``

/** The texts of Node and OpenSSL, which do not quote the contents. */
const problems: ReadonlyArray<readonly [RegExp, (path: string) => string]> = [
  [/^Unable to load (?:private key|certificate) from PFX/, incomplete],
  [
    /^Unsupported PKCS12/,
    (path) =>
      `is encrypted in a way that is no longer safe (RC2 or 3DES): ${path}. Export it anew with OpenSSL 3`
  ],
  [
    /too (?:small|weak)$/,
    (path) => `is not accepted for TLS: ${path}. Use a certificate with a stronger key or signature`
  ]
]
