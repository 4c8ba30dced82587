import { ConfigError, type ConfigProblem, type ConfigResult } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"

/** PEM as text, or the bytes of a file. */
export type CertificateData = string | Uint8Array

/** A client certificate with its private key, under the names that Node's `tls` has for them. */
export type ClientCertificate = (
  | {
      /** PEM of the certificate, then of intermediate ones. */
      readonly cert: CertificateData
      /** PEM of its private key. */
      readonly key: CertificateData
    }
  | {
      /** PKCS#12 with the certificate and its key. */
      readonly pfx: Uint8Array
    }
) & {
  /** Opens the key, or `pfx`, if it is encrypted. */
  readonly passphrase?: string | undefined
  /** PEM of the authorities that are trusted for the servers, instead of the system's. */
  readonly ca?: CertificateData | undefined
}

/** A certificate as files that the configuration names. */
export interface CertificateAsFiles {
  readonly keys: Readonly<Record<string, unknown>>
  readonly files: ReadonlyMap<string, Uint8Array>
}

/** The keys of a configuration that say what `certificate` says. */
export const certificateKeys = [
  "client_cert_path",
  "client_key_path",
  "client_pkcs12_path",
  "client_key_passphrase",
  "ca_bundle_path"
] as const

/** Checks `certificate`, and gives it the form in which `mtls` reads certificates: files, which here exist in memory only. */
export const decodeCertificate = (input: unknown): ConfigResult<CertificateAsFiles | undefined> => {
  if (input === undefined) return Result.succeed(undefined)
  if (typeof input !== "object" || input === null) return failWith([problem([], expected)])
  const parts: Readonly<Record<string, unknown>> = { ...input }
  const names = parts["pfx"] === undefined ? (["cert", "key"] as const) : (["pfx"] as const)
  const allowed: ReadonlySet<string> = new Set([...names, "passphrase", "ca"])
  const problems = [
    ...Object.keys(parts)
      .filter((name) => !allowed.has(name))
      .map((name) =>
        problem([name], names.length === 1 ? "has no effect next to `pfx`" : `unknown key. ${expected}`)
      ),
    ...names.filter((name) => bytesOf(parts[name]) === undefined).map((name) => problem([name], dataProblem)),
    ...(parts["ca"] === undefined || bytesOf(parts["ca"]) !== undefined
      ? []
      : [problem(["ca"], dataProblem)]),
    ...(parts["passphrase"] === undefined || typeof parts["passphrase"] === "string"
      ? []
      : [problem(["passphrase"], "must be a string")])
  ]
  if (problems.length > 0) return failWith(problems)
  const files = new Map(
    ["cert", "key", "pfx", "ca"].flatMap((name) => {
      const bytes = bytesOf(parts[name])
      return bytes === undefined ? [] : [[pathOf(name), bytes] as const]
    })
  )
  const path = (name: string) => (files.has(pathOf(name)) ? pathOf(name) : undefined)
  const keys = {
    use_mtls: true,
    client_cert_path: path("cert"),
    client_key_path: path("key"),
    client_pkcs12_path: path("pfx"),
    ca_bundle_path: path("ca"),
    client_key_passphrase: parts["passphrase"]
  }
  return Result.succeed({
    files,
    keys: Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== undefined))
  })
}

const expected = "Needs `cert` and `key` (PEM), or `pfx` (PKCS#12)"

const dataProblem = "required: PEM as a string, or bytes"

/** What errors call it. */
const pathOf = (name: string): string => `certificate.${name}`

const bytesOf = (data: unknown): Uint8Array | undefined => {
  if (typeof data === "string") return new TextEncoder().encode(data)
  return data instanceof Uint8Array ? data : undefined
}

const problem = (path: ReadonlyArray<PropertyKey>, message: string): ConfigProblem => ({
  path: ["certificate", ...path],
  message
})

const failWith = (problems: ReadonlyArray<ConfigProblem>) => Result.fail(new ConfigError({ problems }))

/** The files of the system, and those in memory. */
export const withFiles = (files: ReadonlyMap<string, Uint8Array>) =>
  Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (system) => ({
      ...system,
      readFile: (path: string) => {
        const bytes = files.get(path)
        return bytes === undefined ? system.readFile(path) : Effect.succeed(bytes)
      }
    }))
  )
