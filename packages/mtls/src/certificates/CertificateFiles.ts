import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { CertificateContents } from "./CertificateContents.ts"
import type { ClientCertificate } from "./ClientCertificate.ts"
import { parseAuthorities, parsePemPair } from "./PemFile.ts"
import { parsePkcs12 } from "./Pkcs12File.ts"

/** The contents of a configuration's files, checked. */
export interface CertificateFiles {
  readonly client: ClientCertificate | undefined
  /** PEM of the authorities that are trusted instead of the system's. */
  readonly authorities: string | undefined
}

/** Checks the contents of the files. Errors name the file and never quote it. */
export const checkCertificates = Effect.fn("CertificateFiles.check")(function* (
  { authorities, client }: CertificateContents,
  passphrase: Redacted.Redacted | undefined
) {
  return {
    client:
      client === undefined
        ? undefined
        : "pkcs12" in client
          ? yield* parsePkcs12(client.pkcs12, passphrase)
          : yield* parsePemPair(client.certificate, client.privateKey, passphrase),
    authorities: authorities === undefined ? undefined : yield* parseAuthorities(authorities)
  } satisfies CertificateFiles
})
