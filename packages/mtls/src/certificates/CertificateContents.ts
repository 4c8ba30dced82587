import type { OAuthConfig } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import { createHash } from "node:crypto"
import { type NamedFile, unusable } from "./ClientCertificate.ts"

/** The part of a configuration that says which certificates its connections use. */
export type CertificatePaths = Pick<
  OAuthConfig,
  "useMtls" | "clientCertPath" | "clientKeyPath" | "clientPkcs12Path" | "clientKeyPassphrase" | "caBundlePath"
>

/** The files of a TLS server. */
export interface ServerCertificatePaths {
  /** PEM of the certificate, then of intermediate ones: `cert_path`. */
  readonly certPath: string
  /** PEM of its private key: `key_path`. */
  readonly keyPath: string
  /** Opens the private key, if it is encrypted: `key_passphrase`. */
  readonly keyPassphrase?: Redacted.Redacted | undefined
  /** PEM of the authorities of client certificates, if clients must have one: `client_ca_path`. */
  readonly clientCaPath?: string | undefined
}

/** A file and its content when it was read. */
export interface FileContent extends NamedFile {
  readonly bytes: Redacted.Redacted<Uint8Array>
}

/** The contents of a configuration's files, unchecked. */
export interface CertificateContents {
  /** The certificate with its key: of a client, or of a server. */
  readonly client:
    | { readonly certificate: FileContent; readonly privateKey: FileContent }
    | { readonly pkcs12: FileContent }
    | undefined
  readonly authorities: FileContent | undefined
  /** Differs when the content of any of the files differs. */
  readonly digest: string
}

/** Reads the files of a configuration. */
export const readCertificateContents = Effect.fnUntraced(function* (paths: CertificatePaths) {
  const client = paths.useMtls ? yield* readClient(paths) : undefined
  const authorities =
    paths.caBundlePath === undefined ? undefined : yield* read("ca_bundle_path", paths.caBundlePath)
  return {
    client,
    authorities,
    digest: digest([...Object.values(client ?? {}), ...(authorities === undefined ? [] : [authorities])])
  } satisfies CertificateContents
})

/** Reads the files of a TLS server. */
export const readServerContents = Effect.fnUntraced(function* (paths: ServerCertificatePaths) {
  const certificate = yield* read("cert_path", paths.certPath, serverPassphrase)
  const privateKey = yield* read("key_path", paths.keyPath, serverPassphrase)
  const authorities =
    paths.clientCaPath === undefined ? undefined : yield* read("client_ca_path", paths.clientCaPath)
  return {
    client: { certificate, privateKey },
    authorities,
    digest: digest([certificate, privateKey, ...(authorities === undefined ? [] : [authorities])])
  } satisfies CertificateContents
})

const serverPassphrase = "key_passphrase"

const readClient = Effect.fnUntraced(function* (paths: CertificatePaths) {
  if (paths.clientPkcs12Path !== undefined) {
    return { pkcs12: yield* read("client_pkcs12_path", paths.clientPkcs12Path) }
  }
  const certificatePath = yield* required("client_cert_path", paths.clientCertPath)
  const keyPath = yield* required("client_key_path", paths.clientKeyPath)
  return {
    certificate: yield* read("client_cert_path", certificatePath),
    privateKey: yield* read("client_key_path", keyPath)
  }
})

const required = (key: string, path: string | undefined) =>
  path === undefined
    ? Effect.fail(unusable(key, "is required with `use_mtls`, unless there is `client_pkcs12_path`"))
    : Effect.succeed(path)

const read = Effect.fnUntraced(function* (
  key: string,
  path: string,
  passphraseKey = "client_key_passphrase"
) {
  const files = yield* FileSystem.FileSystem
  const bytes = yield* files
    .readFile(path)
    .pipe(Effect.mapError(({ reason: { _tag: reason } }) => unusable(key, readProblem(reason, path))))
  return { key, path, passphraseKey, bytes: Redacted.make(bytes) } satisfies FileContent
})

const readProblem = (reason: string, path: string): string => {
  if (reason === "NotFound") return `names a file that does not exist: ${path}. Check the path`
  if (reason === "PermissionDenied") {
    return `names a file that this process may not read: ${path}. Check its owner and its mode`
  }
  return `names something that cannot be read as a file (${reason}): ${path}. Check the path`
}

const digest = (contents: ReadonlyArray<FileContent>): string => {
  const all = createHash("sha256")
  for (const { bytes } of contents) all.update(createHash("sha256").update(Redacted.value(bytes)).digest())
  return all.digest("base64url")
}
