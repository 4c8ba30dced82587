import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Redacted from "effect/Redacted"
import { Misconfigured } from "@secure-mcp/oauth-core"
import type { PrivateDirectory } from "./PrivateDirectory.ts"

/** The name of the file that holds the encryption key, when none is configured. */
const keyFileName = "key"

/**
 * The key in the key file. The first process makes it, from 32 random bytes; of several at once one wins and the
 * others read what it wrote. A key file is never replaced, because all records depend on it.
 */
export const readOrMakeKeyFile = Effect.fnUntraced(function* (directory: PrivateDirectory) {
  const there = yield* directory.read(keyFileName)
  if (there !== undefined) return yield* keyIn(directory, there)
  const random = yield* SecureRandom.SecureRandom
  const key = utf8.encode(`${Base64.encode(yield* random.randomBytes(32))}\n`)
  const made = yield* directory.create(keyFileName, key)
  return yield* keyIn(directory, made ? key : yield* directory.read(keyFileName))
})

const keyIn = (directory: PrivateDirectory, content: Uint8Array | undefined) => {
  const text = new TextDecoder().decode(content).trim()
  if (text.length >= 32) return Effect.succeed(Redacted.make(text))
  const path = directory.pathOf(keyFileName)
  return Effect.fail(
    new Misconfigured({
      problem: `the key file ${path} holds no key. Restore it; if it is lost, delete it and the token files next to it`
    })
  )
}

const utf8 = new TextEncoder()
