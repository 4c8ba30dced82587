import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { Socket } from "node:net"
import { basename, dirname } from "node:path"

/**
 * Loaded before the command (`--import`): kills the process with SIGKILL just before its n-th step to the outside. A step
 * changes a file of the store, sends a request to the authorization server or a command to Redis, or takes the answer to
 * one. Each step is written to a journal before it is taken, so that the last line is the one that never was. What leaves
 * nothing that another process can see is no step: to create an empty temporary file, `fsync`, `SCRIPT LOAD`.
 *
 * `KILL_AT` is the number of the step, 0 for none. `KILL_STORE` is the folder whose files count, `KILL_HTTP` and
 * `KILL_REDIS` are the ports that count.
 */
const { KILL_AT = "0", KILL_HTTP, KILL_JOURNAL = "", KILL_REDIS, KILL_STORE } = process.env

const real = { openSync: fs.openSync, writeSync: fs.writeSync }
const journal = real.openSync(KILL_JOURNAL, "a")
let steps = 0

const step = (name: string) => {
  steps += 1
  real.writeSync(journal, `${name}\n`)
  if (steps === Number(KILL_AT)) process.kill(process.pid, "SIGKILL")
}

const isInStore = (path: unknown): path is string =>
  KILL_STORE !== undefined && typeof path === "string" && path.startsWith(KILL_STORE)

/** What a file of the store is for. */
const kind = (path: string): string => {
  const name = basename(path)
  const inLeases = basename(dirname(path)) === "leases"
  if (name.startsWith("tmp-")) return inLeases ? "temporary file of a lease" : "temporary file"
  if (name.endsWith(".token")) return "token"
  if (name.endsWith(".removed")) return "record of the removal"
  if (name === "key") return "key file"
  return "lease"
}

const openFiles = new Map<number, string>()

/** Counts each call of a function of `fs` that `describe` has a name for. */
const count = <K extends "link" | "mkdir" | "open" | "rename" | "rm" | "write">(
  name: K,
  describe: (args: ReadonlyArray<unknown>) => string | undefined
) => {
  const original = fs[name]
  const counted = (...args: Array<unknown>) => {
    const described = describe(args)
    if (described !== undefined) step(described)
    if (name === "open" && isInStore(args[0])) rememberFile(args)
    return Reflect.apply(original, fs, args)
  }
  Object.defineProperty(fs, name, {
    value: Object.assign(counted, original),
    configurable: true,
    writable: true
  })
}

/** Afterwards a descriptor is enough to know the file. */
const rememberFile = (args: Array<unknown>) => {
  const [path] = args
  const done = args.at(-1)
  if (typeof done !== "function") return
  args[args.length - 1] = (error: unknown, descriptor: number) => {
    if (typeof path === "string" && typeof descriptor === "number") openFiles.set(descriptor, path)
    done(error, descriptor)
  }
}

const ofDescriptor = ([descriptor]: ReadonlyArray<unknown>) => {
  const path = typeof descriptor === "number" ? openFiles.get(descriptor) : undefined
  return path === undefined ? undefined : `write the ${kind(path)}`
}

const ofPath =
  (verb: string, index = 0) =>
  (args: ReadonlyArray<unknown>) => {
    const path = args[index]
    return isInStore(path) ? `${verb} the ${kind(path)}` : undefined
  }

count("open", () => undefined)
count("write", ofDescriptor)
count("rename", ([from, to]) =>
  isInStore(from) && isInStore(to)
    ? basename(to).startsWith("tmp-")
      ? `take away the ${kind(from)}`
      : `name the ${kind(to)}`
    : undefined
)
count("link", ofPath("name", 1))
count("mkdir", ([path]) => (isInStore(path) && !fs.existsSync(path) ? "make the folder" : undefined))
count("rm", ofPath("remove"))
syncBuiltinESMExports()

/** The request on each connection whose answer has not begun. */
const asked = new WeakMap<Socket, string>()

const requestIn = (socket: Socket, chunk: unknown): string | undefined => {
  const text =
    typeof chunk === "string" ? chunk : chunk instanceof Uint8Array ? Buffer.from(chunk).toString() : ""
  const port = String(socket.remotePort)
  if (port === KILL_HTTP) return /^([A-Z]+ \/[\w./-]*)(?:\?\S*)? HTTP\/1\.1\r\n/.exec(text)?.[1]
  // How often a process asks what others have changed depends on how fast the machine is.
  if (port !== KILL_REDIS || asksForChanges.test(text)) return undefined
  const command = /^\*\d+\r\n\$\d+\r\n(\w+)\r\n/.exec(text)?.[1]?.toUpperCase()
  return command === undefined || setUp.has(command) ? undefined : command
}

/** A script whose first key is the log of changes reads it. */
const asksForChanges = /^\*\d+\r\n\$7\r\nEVALSHA\r\n\$\d+\r\n\w+\r\n\$1\r\n1\r\n\$\d+\r\n[^\r]*:changes\r\n/i

/** Commands that change nothing. */
const setUp = new Set(["AUTH", "CLIENT", "HELLO", "PING", "SCRIPT", "SELECT"])

const write = Socket.prototype.write
Object.defineProperty(Socket.prototype, "write", {
  value: function (this: Socket, ...args: Parameters<typeof write>) {
    const request = requestIn(this, args[0])
    if (request !== undefined) {
      step(`send ${request}`)
      asked.set(this, request)
    }
    return Reflect.apply(write, this, args)
  }
})

const push = Socket.prototype.push
Object.defineProperty(Socket.prototype, "push", {
  value: function (this: Socket, ...args: Parameters<typeof push>) {
    const request = args[0] === null ? undefined : asked.get(this)
    if (request !== undefined) {
      asked.delete(this)
      step(`take the answer to ${request}`)
    }
    return Reflect.apply(push, this, args)
  }
})
