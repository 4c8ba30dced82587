import * as Clock from "effect/Clock"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import * as Predicate from "effect/Predicate"
import { StoreUnavailable } from "@secure-mcp/oauth-core"

/**
 * A folder of small files that belongs to one user (mode 0700, files 0600) and that several processes use at once.
 * A file appears, changes and disappears whole: a reader never sees half of one, and a finished write
 * survives a power cut.
 */
export interface PrivateDirectory {
  readonly pathOf: (name: string) => string
  readonly names: Effect.Effect<ReadonlyArray<string>, StoreUnavailable>
  /** What is in a file, if there is one. */
  readonly read: (name: string) => Effect.Effect<Uint8Array | undefined, StoreUnavailable>
  /** Writes a file in place of the one before it. */
  readonly write: (name: string, content: Uint8Array) => Effect.Effect<void, StoreUnavailable>
  /** Writes a file unless there is one; says whether it did. */
  readonly create: (name: string, content: Uint8Array) => Effect.Effect<boolean, StoreUnavailable>
  /** Removes a file, if there is one. */
  readonly remove: (name: string) => Effect.Effect<void, StoreUnavailable>
  /** Takes a file away from everybody else, if there is one. Of several callers only one gets it. */
  readonly claim: (name: string) => Effect.Effect<ClaimedFile | undefined, StoreUnavailable>
  /** Whether a file of usual size can be written now: the disk has room, and the modes allow it. */
  readonly checkWritable: Effect.Effect<void, StoreUnavailable>
}

/** A file that was moved away, so that no other caller sees it. Call one of the three functions next. */
export interface ClaimedFile {
  readonly content: Uint8Array
  readonly remove: Effect.Effect<void, StoreUnavailable>
  /** Keeps it for a person to look at. Gives its new path. */
  readonly setAside: Effect.Effect<string, StoreUnavailable>
  /** Undoes the claim, unless there is another file in its place by now. */
  readonly putBack: Effect.Effect<void, StoreUnavailable>
}

/** Opens the folder, and makes it if need be. One that is open to other users is closed to them, with a warning. */
export const openPrivateDirectory = Effect.fnUntraced(function* (directory: string) {
  const files = yield* FileSystem.FileSystem
  const { join } = yield* Path.Path
  const random = yield* SecureRandom.SecureRandom

  const pathOf = (name: string) => join(directory, name)

  const uniqueName = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    return `${now}-${yield* random.uuidV4()}`
  })

  /** A file's content is on the disk before the file has its name. */
  const writeTemporary = Effect.fnUntraced(function* (content: Uint8Array) {
    const path = pathOf(temporaryPrefix + (yield* uniqueName))
    yield* files.open(path, { flag: "wx", mode: 0o600 }).pipe(
      Effect.flatMap((file) => Effect.andThen(file.writeAll(content), file.sync)),
      Effect.scoped,
      Effect.onError(() => dropTemporary(path)),
      attempt("written", path)
    )
    return path
  })

  const dropTemporary = (path: string) => Effect.ignore(files.remove(path, { force: true }))

  /** A file's name is on the disk when its folder is. Where a folder cannot be opened (Windows) there is no such step. */
  const syncNames = Effect.scoped(
    files
      .open(directory)
      .pipe(
        Effect.matchEffect({ onFailure: () => Effect.void, onSuccess: (folder) => folder.sync }),
        attempt("written", directory)
      )
  )

  const write: PrivateDirectory["write"] = Effect.fnUntraced(function* (name, content) {
    const temporary = yield* writeTemporary(content)
    yield* files.rename(temporary, pathOf(name)).pipe(
      Effect.onError(() => dropTemporary(temporary)),
      attempt("written", pathOf(name))
    )
    yield* syncNames
  }, Effect.uninterruptible)

  /** Unlike a rename, a link never takes the place of a file that is there already. */
  const linkTo = (path: string, name: string) =>
    files.link(path, pathOf(name)).pipe(
      Effect.as(true),
      Effect.catchIf(isAlreadyThere, () => Effect.succeed(false)),
      Effect.tap(dropTemporary(path))
    )

  const create: PrivateDirectory["create"] = Effect.fnUntraced(function* (name, content) {
    const temporary = yield* writeTemporary(content)
    const created = yield* linkTo(temporary, name).pipe(
      Effect.onError(() => dropTemporary(temporary)),
      attempt("written", pathOf(name))
    )
    yield* syncNames
    return created
  }, Effect.uninterruptible)

  const claim: PrivateDirectory["claim"] = Effect.fnUntraced(function* (name) {
    const unique = yield* uniqueName
    const path = pathOf(temporaryPrefix + unique)
    const claimed = yield* files.rename(pathOf(name), path).pipe(
      Effect.as(true),
      Effect.catchIf(isMissing, () => Effect.succeed(false)),
      attempt("moved", pathOf(name))
    )
    if (!claimed) return undefined
    // Without links (FAT) the file comes back nevertheless, even in the place of another one.
    const putBack = linkTo(path, name).pipe(
      Effect.catch(() => files.rename(path, pathOf(name))),
      attempt("moved", path),
      Effect.andThen(syncNames)
    )
    const content = yield* files.readFile(path).pipe(
      attempt("read", path),
      Effect.onError(() => Effect.ignore(putBack))
    )
    const aside = pathOf(`${name}.damaged-${unique}`)
    return {
      content,
      putBack,
      remove: files.remove(path).pipe(attempt("removed", path), Effect.andThen(syncNames)),
      setAside: files
        .rename(path, aside)
        .pipe(attempt("moved", path), Effect.andThen(syncNames), Effect.as(aside))
    }
  }, Effect.uninterruptible)

  /** What a process left behind that ended in the middle. */
  const dropLeftovers = Effect.gen(function* () {
    const before = (yield* Clock.currentTimeMillis) - Duration.toMillis(leftoverAge)
    for (const name of yield* files.readDirectory(directory)) {
      const [, time] = temporaryName.exec(name) ?? []
      if (time !== undefined && Number(time) < before) yield* dropTemporary(pathOf(name))
    }
  })

  yield* makePrivate(directory)
  yield* dropLeftovers.pipe(attempt("read", directory))

  return {
    pathOf,
    names: files.readDirectory(directory).pipe(attempt("read", directory)),
    read: (name) =>
      files.readFile(pathOf(name)).pipe(
        Effect.catchIf(isMissing, () => Effect.undefined),
        attempt("read", pathOf(name))
      ),
    write,
    create,
    remove: (name) => files.remove(pathOf(name), { force: true }).pipe(attempt("removed", pathOf(name))),
    claim,
    checkWritable: Effect.uninterruptible(Effect.flatMap(writeTemporary(probe), dropTemporary))
  } satisfies PrivateDirectory
})

const makePrivate = Effect.fnUntraced(function* (directory: string) {
  const files = yield* FileSystem.FileSystem
  yield* files.makeDirectory(directory, { recursive: true, mode: 0o700 }).pipe(attempt("made", directory))
  const { mode } = yield* files.stat(directory).pipe(attempt("read", directory))
  if ((mode & 0o077) === 0) return
  yield* files.chmod(directory, 0o700).pipe(attempt("closed to other users", directory))
  yield* Effect.logWarning(`${directory} was open to other users; its mode is 0700 now`)
})

const temporaryPrefix = "tmp-"
const temporaryName = /^tmp-(\d+)-[0-9a-f-]{36}$/
const leftoverAge = Duration.hours(1)
const probe = new Uint8Array(16 * 1024)

const isMissing = ({ reason }: PlatformError): boolean => reason._tag === "NotFound"
const isAlreadyThere = ({ reason }: PlatformError): boolean => reason._tag === "AlreadyExists"

const attempt = (doing: string, path: string) => Effect.mapError(unavailable(doing, path))

const unavailable =
  (doing: string, path: string) =>
  ({ reason }: PlatformError): StoreUnavailable => {
    const { cause } = reason
    const code =
      Predicate.hasProperty(cause, "code") && Predicate.isString(cause.code) ? cause.code : reason._tag
    const advice = adviceFor[reason._tag] ?? ""
    return new StoreUnavailable({ problem: `${path} could not be ${doing} (${code})${advice}` })
  }

const adviceFor: Readonly<Record<string, string>> = {
  NotFound: ". Check that the folder is there",
  PermissionDenied: ". Check its owner and its mode"
}
