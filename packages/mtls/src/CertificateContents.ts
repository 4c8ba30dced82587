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

/** A file and its content when it was read. */
export interface FileContent extends NamedFile {
  readonly bytes: Redacted.Redacted<Uint8Array>
}

/** The contents of a configuration's files, unchecked. */
export interface CertificateContents {
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

const read = Effect.fnUntraced(function* (key: string, path: string) {
  const files = yield* FileSystem.FileSystem
  const bytes = yield* files
    .readFile(path)
    .pipe(Effect.mapError(({ reason: { _tag: reason } }) => unusable(key, readProblem(reason, path))))
  return { key, path, bytes: Redacted.make(bytes) } satisfies FileContent
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
