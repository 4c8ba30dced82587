import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { promisify } from "node:util"

/** Puts a certificate and its key into a PKCS#12 file, encrypted as OpenSSL 3 does (AES-256), or in an older way. */
export const writePkcs12 = Effect.fnUntraced(function* (options: {
  readonly certificatePath: string
  readonly privateKeyPath: string
  readonly path: string
  readonly passphrase: string
  /** More certificates to include. */
  readonly chainPath?: string
  /** RC2, which OpenSSL 3 does not read any more. */
  readonly legacy?: boolean
}) {
  const { certificatePath, chainPath, legacy, passphrase, path, privateKeyPath } = options
  const command = [
    ["pkcs12", "-export"],
    ["-in", certificatePath, "-inkey", privateKeyPath, "-out", path, "-passout", `pass:${passphrase}`],
    chainPath === undefined ? [] : ["-certfile", chainPath],
    legacy === true ? ["-legacy"] : []
  ]
  yield* Effect.promise(() => promisify(execFile)("openssl", command.flat()))
  return path
})
