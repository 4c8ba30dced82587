import { OAuthToken, StoreUnavailable } from "@secure-mcp/oauth-core"
import { FileTokenStore, makeTokenEncryption, TokenStore } from "@secure-mcp/token-cache"
import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { secretNamed } from "../input/Secrets.ts"
import { bufferOf, bytesOf, damaged, hostileText } from "../input/Texts.ts"
import { Broken, type Target } from "../run/Target.ts"
import { fileServices, makeFolder } from "../servers/Folder.ts"

const secrets = {
  key: secretNamed("encryption-key"),
  accessToken: secretNamed("stored-access-token"),
  refreshToken: secretNamed("stored-refresh-token")
}

const places = ["token", "removal", "lease", "late lease", "stranger", "temporary", "key"] as const

const Input = Schema.Struct({
  /** Whether the key is in a file next to the tokens. */
  keyFile: Schema.Boolean,
  files: Schema.Array(
    Schema.Struct({
      place: Schema.Literals(places),
      /** Bytes, one in each character; `SEALED` stands for an encrypted record. */
      content: Schema.String
    })
  )
})

const numbers = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(1, 1e308, Number.MAX_SAFE_INTEGER, -1, Date.UTC(2040))
)

const states = fc.oneof(
  fc.record({ revision: numbers, removedAt: numbers }),
  fc.record({ holder: fc.string(), given: numbers, endsAt: numbers, written: numbers })
)

const contents = fc.oneof(
  damaged(fc.constant("SEALED"), hostileText()),
  damaged(
    states.map((state) => JSON.stringify(state)),
    hostileText()
  ),
  fc.constantFrom("", "SEALED", "SEALEDSEALED", "{}", "\0".repeat(100)),
  hostileText()
)

/** The files of the file store: those that a crash has cut, that somebody has changed, or that are of another program. */
export const storeFiles: Target<typeof Input.Type> = {
  name: "store-files",
  input: Input,
  secrets: Object.values(secrets),
  inputs: fc.record({
    keyFile: fc.oneof(
      { weight: 5, arbitrary: fc.constant(false) },
      { weight: 1, arbitrary: fc.constant(true) }
    ),
    files: fc.array(fc.record({ place: fc.constantFrom(...places), content: contents.map(bytesOf) }), {
      minLength: 1,
      maxLength: 4
    })
  }),
  open: Effect.gen(function* () {
    const services = yield* fileServices
    const parent = yield* makeFolder
    const sealed = yield* sealRecord
    return ({ files, keyFile }) =>
      Effect.gen(function* () {
        const directory = yield* Effect.acquireRelease(
          Effect.sync(() => mkdtempSync(join(parent, "store-"))),
          (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
        )
        mkdirSync(join(directory, "leases"))
        for (const { content, place } of files)
          writeFileSync(
            join(directory, nameOf(place, sealed.address)),
            bufferOf(content.replaceAll("SEALED", sealed.bytes))
          )
        return yield* useStore(directory, keyFile)
      }).pipe(Effect.scoped, Effect.provide(services))
  })
}

const key = {
  projectId: "default",
  configId: "default",
  serverName: "remote",
  subject: "ada",
  personal: true,
  fingerprint: "0".repeat(64)
}

const token = OAuthToken.make({
  accessToken: Redacted.make(secrets.accessToken),
  tokenType: "Bearer",
  refreshToken: Redacted.make(secrets.refreshToken),
  issuedAt: 0,
  reusable: true
})

/** The address of the key, and a genuine record for it. */
const sealRecord = Effect.gen(function* () {
  const digest = yield* Digest.Digest
  const text = JSON.stringify([key.projectId, key.configId, key.serverName, key.subject, key.fingerprint])
  const address = yield* digest.digestHex(Digest.sha256, new TextEncoder().encode(text))
  const { seal } = yield* makeTokenEncryption({ encryptionKey: Redacted.make(secrets.key), previousKeys: [] })
  const bytes = yield* seal(address, { key, token, revision: 1 })
  return { address, bytes: Buffer.from(bytes).toString("latin1") }
}).pipe(Effect.provide(Layer.mergeAll(Digest.layerWebCrypto, SecureRandom.layerWebCrypto)), Effect.orDie)

const nameOf = (place: (typeof places)[number], address: string): string =>
  ({
    token: `${address}.token`,
    removal: `leases/${address}.removed`,
    lease: `leases/${address}-1`,
    "late lease": `leases/${address}-9007199254740993`,
    stranger: "README.md",
    temporary: "tmp-1-5f1c9b9e-6b0a-4c8e-9f53-5f8b2c1f0a11",
    key: "key"
  })[place]

/** Every operation ends, and fails with nothing but `StoreUnavailable`; what was stored then is found again. */
const useStore = Effect.fnUntraced(function* (directory: string, keyFile: boolean) {
  const opened = yield* Effect.result(
    Layer.build(
      FileTokenStore.layer({ directory, ...(keyFile ? {} : { encryptionKey: Redacted.make(secrets.key) }) })
    )
  )
  if (Result.isFailure(opened)) return [describe(opened.failure)]
  const store = Context.get(opened.success, TokenStore)
  const seen: Array<string> = []
  const attempt = <A>(operation: Effect.Effect<A, StoreUnavailable>) =>
    Effect.tap(Effect.result(operation), (outcome) =>
      Effect.sync(() => (Result.isFailure(outcome) ? void seen.push(describe(outcome.failure)) : undefined))
    )
  yield* attempt(store.get(key))
  yield* attempt(store.list)
  const lease = yield* attempt(store.lease(key, Duration.seconds(10)))
  if (Result.isSuccess(lease) && lease.success !== undefined) {
    yield* attempt(lease.success.renew)
    yield* attempt(lease.success.set(token, Duration.infinity))
    yield* attempt(lease.success.release)
  }
  yield* attempt(store.remove(key))
  const written = yield* attempt(store.set(key, token, Duration.infinity))
  if (Result.isFailure(written)) return seen
  const found = yield* attempt(store.get(key))
  if (Result.isSuccess(found) && found.success._tag !== "Stored")
    return yield* new Broken({
      problem: `a token that was stored is found again: it is ${found.success._tag}`
    })
  return seen
})

const describe = (error: Error): string => `${error.message} ${error.stack}`
