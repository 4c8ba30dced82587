import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { post } from "../../cli/mcpMessages.ts"
import { logIn } from "../../login/Person.ts"
import { grant } from "../PersonGrant.ts"
import type { GrantServer } from "./GrantServer.ts"
import type { RunningCommand } from "./KilledCommand.ts"
import { canRead, getToken, logInOnDevice, logOut, renew, storedToken } from "./NextProcess.ts"

/** Where a killed process was at work. */
export interface Scene {
  readonly server: GrantServer
  /** The configuration of the killed process, and of the next one. */
  readonly document: object
  /** The same with another store. */
  readonly withStore: (settings: object) => object
}

/** One thing that a process does, and can be killed at. */
export interface Operation {
  /** As in the table. */
  readonly name: string
  /** As in the name of a test. */
  readonly doing: string
  readonly oauth: (server: GrantServer) => object
  /** Of the store, for the command. */
  readonly store?: object
  /** What comes before. */
  readonly prepare?: (scene: Scene) => Effect.Effect<unknown>
  readonly args: ReadonlyArray<string>
  readonly work?: (command: RunningCommand) => Effect.Effect<unknown>
  /** Asserts what holds after any crash, and says in words what survived. */
  readonly survived: (scene: Scene) => Effect.Effect<string>
}

const clientCredentials = () => ({ client_secret: "a-secret-of-the-client" })

const authorizationCode = ({ endpoint }: GrantServer) => ({
  version: "2.1",
  grant_type: "authorization_code",
  authorization_url: endpoint("/authorize")
})

const giveGrant = ({ withStore }: Scene) => grant(withStore({}), "code")

/** After a login that was cut off the person has the grant, or logs in as if nothing had been. */
const survivedLogin = (logInAgain: (document: object) => Effect.Effect<unknown>) =>
  Effect.fnUntraced(function* ({ document, server }: Scene) {
    const issued = server.issued()
    if ((yield* storedToken(document)) !== undefined) {
      assert.strictEqual(yield* renew(document), "token")
      return "the grant is stored"
    }
    assert.strictEqual(yield* getToken(document), "login needed")
    yield* logInAgain(document)
    assert.strictEqual(yield* getToken(document), "token")
    assert.strictEqual(yield* renew(document), "token")
    assert.isAtMost(issued, 1)
    return issued === 0 ? "nothing; a new login succeeds" : "the grant is lost; a new login succeeds"
  })

/** A refresh token is used again only where nothing of its answer was stored. */
const survivedRenewal = Effect.fnUntraced(function* ({ document, server }: Scene) {
  const replaced = server.generation() === 1
  const stored = (yield* storedToken(document))?.refreshToken?.endsWith(".1") === true
  assert.isFalse(stored && !replaced)
  assert.strictEqual(yield* renew(document), replaced && !stored ? "login needed" : "token")
  if (stored) return "the new token"
  if (!replaced) return "the old token"
  yield* grant(document, "code")
  assert.strictEqual(yield* renew(document), "token")
  return "the grant is lost; a new login succeeds"
})

/** A grant that was removed does not come back, and one that was not can be removed. */
const survivedRemoval = Effect.fnUntraced(function* ({ document, server }: Scene) {
  const before = server.revoked()
  const stored = yield* storedToken(document)
  if (stored !== undefined) {
    assert.isEmpty(before, "removed here before it is revoked there")
    assert.strictEqual(yield* renew(document), "token")
    yield* logOut(document)
  }
  assert.isUndefined(yield* storedToken(document))
  assert.strictEqual(yield* getToken(document), "login needed")
  assert.strictEqual(yield* renew(document), "login needed")
  yield* grant(document, "code")
  assert.strictEqual(yield* getToken(document), "token")
  if (stored !== undefined) return "the grant; the command can be repeated"
  return before.length === 0
    ? "nothing here; the server has not revoked it"
    : "nothing here; the server has revoked it"
})

const [oldKey, newKey] = ["an-old-key-of-32-characters-or-more", "a-new-key-of-32-characters-or-more!"]
const bothKeys = { encryption_key: newKey, previous_encryption_keys: [oldKey] }

const survivedKeyRotation = Effect.fnUntraced(function* (scene: Scene) {
  const { document, withStore } = scene
  assert.isTrue(yield* canRead(document))
  const [byOld, byNew] = [
    yield* canRead(withStore({ encryption_key: oldKey })),
    yield* canRead(withStore({ encryption_key: newKey }))
  ]
  assert.isTrue(byOld !== byNew, "one of the keys reads the token")
  const survived = yield* survivedRenewal(scene)
  assert.isTrue(
    yield* canRead(withStore({ encryption_key: newKey })),
    "the next renewal is under the new key"
  )
  return `${survived}${byOld ? ", under the old key" : ", under the new key"}`
})

/** Pastes the address that the authorization server sends the person back to. */
const pasteCallback = Effect.fnUntraced(function* ({ paste, says }: RunningCommand) {
  const url = yield* says("stdout", /http\S+state=\S+(?=\n)/)
  if (url === undefined) return
  const { searchParams } = new URL(url)
  const callback = new URL(searchParams.get("redirect_uri") ?? "")
  callback.search = new URLSearchParams({ code: "code", state: searchParams.get("state") ?? "" }).toString()
  yield* paste(callback.href)
})

/** A person of an MCP client opens the link that the gateway answers with. */
const logInThroughGateway = ({ kill, says }: RunningCommand) =>
  Effect.gen(function* () {
    const url = yield* says("stdout", /^http\S+(?=\n)/)
    if (url === undefined) return
    const { text } = yield* post(url, "notes")
    const link = JSON.parse(text).error?.data.authorization_url
    yield* logIn(link, "alice")
    yield* post(url, "notes")
  }).pipe(
    // Whoever is killed does not answer.
    Effect.ignoreCause,
    Effect.andThen(kill)
  )

const removalArgs = ["logout", "notes"]

export const operations: ReadonlyArray<Operation> = [
  {
    name: "request a token (client credentials)",
    doing: "requests a token with client credentials",
    oauth: clientCredentials,
    args: ["token", "notes"],
    survived: Effect.fnUntraced(function* ({ document, server }) {
      const issued = server.issued()
      const stored = (yield* storedToken(document)) !== undefined
      assert.strictEqual(yield* getToken(document), "token")
      assert.strictEqual(server.issued(), stored ? 1 : issued + 1)
      return stored ? "the token" : "nothing; the next process requests a token"
    })
  },
  {
    name: "renewal",
    doing: "renews a grant",
    oauth: authorizationCode,
    prepare: giveGrant,
    args: ["token", "notes", "--force-refresh"],
    survived: survivedRenewal
  },
  {
    name: "`login`",
    doing: "exchanges the code of a login",
    oauth: authorizationCode,
    args: ["login", "notes", "--no-browser"],
    work: pasteCallback,
    survived: survivedLogin((document) => grant(document, "code"))
  },
  {
    name: "`login --device`",
    doing: "waits for a login on another device",
    oauth: ({ endpoint }) => ({
      version: "2.1",
      grant_type: "device_code",
      device_authorization_url: endpoint("/device")
    }),
    args: ["login", "notes"],
    survived: survivedLogin(logInOnDevice)
  },
  {
    name: "login through `serve`",
    doing: "serves a login that a request began",
    oauth: authorizationCode,
    args: ["serve", "--port", "0"],
    work: logInThroughGateway,
    survived: survivedLogin((document) => grant(document, "code"))
  },
  {
    name: "`logout`",
    doing: "removes a grant at a server without revocation endpoint",
    oauth: authorizationCode,
    prepare: giveGrant,
    args: removalArgs,
    survived: survivedRemoval
  },
  {
    name: "`logout`, with revocation",
    doing: "removes and revokes a grant",
    oauth: (server) => ({ ...authorizationCode(server), revocation_url: server.endpoint("/revoke") }),
    prepare: giveGrant,
    args: removalArgs,
    survived: survivedRemoval
  },
  {
    name: "`tokens forget`",
    doing: "forgets a grant",
    oauth: authorizationCode,
    prepare: giveGrant,
    args: ["tokens", "forget", "notes"],
    survived: survivedRemoval
  },
  {
    name: "rotation of the encryption key",
    doing: "writes a token under a new encryption key",
    oauth: authorizationCode,
    store: bothKeys,
    prepare: ({ withStore }) => grant(withStore({ encryption_key: oldKey }), "code"),
    args: ["token", "notes", "--force-refresh"],
    survived: survivedKeyRotation
  }
]
