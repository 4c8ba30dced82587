import { type ConfigProblem, type ConfigResult, decodeConfig } from "@secure-mcp/oauth-core"
import type { ServerCertificatePaths } from "@secure-mcp/mtls"
import * as Schema from "effect/Schema"

const Path = Schema.String.pipe(Schema.annotateKey({ messageMissingKey: "required" }))

const fields = {
  /** PEM of the gateway's certificate, then of intermediate ones. */
  certPath: Path,
  /** PEM of its private key. */
  keyPath: Path,
  /** Opens the private key, if it is encrypted. */
  keyPassphrase: Schema.optionalKey(Schema.RedactedFromValue(Schema.String)),
  /** PEM of authorities. If it is set, only clients with a certificate of one of them are served. */
  clientCaPath: Schema.optionalKey(Path)
}

const wireNames = {
  certPath: "cert_path",
  keyPath: "key_path",
  keyPassphrase: "key_passphrase",
  clientCaPath: "client_ca_path"
} as const

const TlsSettings = Schema.Struct(fields).pipe(Schema.encodeKeys(wireNames))

/** The `tls` object of `gateway`: the files of a TLS server. */
export type TlsSettings = typeof TlsSettings.Type & ServerCertificatePaths

const rules = ({ certPath, clientCaPath, keyPath }: TlsSettings): ReadonlyArray<ConfigProblem> =>
  Object.entries({
    [wireNames.certPath]: certPath,
    [wireNames.keyPath]: keyPath,
    [wireNames.clientCaPath]: clientCaPath
  }).flatMap(([key, path]) => (path === "" ? [{ path: [key], message: "must not be empty" }] : []))

/** Decodes a `tls` object and reports every problem at once. */
export const decodeTlsSettings: (input: unknown) => ConfigResult<TlsSettings> = decodeConfig({
  schema: TlsSettings,
  keys: Object.values(wireNames),
  wireNames,
  rules
})
