"use strict"

const { subscribe } = require("node:diagnostics_channel")
const { closeSync, fstatSync, openSync, readSync, renameSync, writeFileSync } = require("node:fs")
const { createRequire } = require("node:module")
const { basename, dirname, join } = require("node:path")
const { constants, Script } = require("node:vm")
const { crc32 } = require("node:zlib")

/** Milliseconds after which a command has called what it calls at its start. */
const startTime = 1000

/**
 * Makes what loads the files of the bundle with what V8 compiled of them in an earlier process. Node's compile cache would have only what is
 * compiled when a file is loaded, and not the functions that are called afterwards. To compile these anew took a quarter of a start.
 *
 * @param directory where to keep it: what is in it is run. Undefined if there is no place
 * @param use for what the process is started: each kind of start calls other functions
 */
exports.makeLoader = (directory, use) => {
  const modules = new Map()
  const unkept = new Map()
  const reader = makeReader()

  const keep = () => {
    for (const [path, { script, sum }] of unkept) write(path, sum, script.createCachedData())
    unkept.clear()
  }
  process.on("exit", keep)
  // V8 takes nothing that was written with other settings than it has when it reads.
  subscribe("secure-mcp-gateway:v8-settings", keep)

  const compile = (file) => {
    const source = reader.read(file, before, after)
    // The bundle is ASCII: as Latin-1 it is not searched for characters of several bytes.
    const code = source.latin1Slice()
    const options = {
      filename: file,
      importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER
    }
    if (directory === undefined) return new Script(code, options)
    const sum = crc32(source)
    const version = `${process.version}-${process.arch}-${crc32(file).toString(16)}`
    const path = join(directory, `${use}-${version}-${basename(file)}.compiled`)
    const script = new Script(code, { ...options, cachedData: readCompiled(reader, path, sum) })
    // True also if there was nothing to take.
    if (script.cachedDataRejected !== false) {
      if (unkept.size === 0) setTimeout(keep, startTime).unref()
      unkept.set(path, { script, sum })
    }
    return script
  }

  let loading = 0
  const load = (file) => {
    const known = modules.get(file)
    if (known !== undefined) return known.exports
    const module = { exports: {} }
    // Before it is run, because files of the bundle require one another.
    modules.set(file, module)
    const requireOther = createRequire(file)
    const folder = dirname(file)
    const require = (id) => (id.startsWith(".") ? load(join(folder, id)) : requireOther(id))
    loading += 1
    try {
      compile(file).runInThisContext()(module.exports, require, module, file, folder)
      return module.exports
    } finally {
      loading -= 1
      if (loading === 0) reader.free()
    }
  }

  return load
}

/** What Node has around the text of a module, in one line with its first, so that the lines of stack traces are those of the file. */
const before = Buffer.from("(function (exports, require, module, __filename, __dirname) { ")
const after = Buffer.from("\n})")

const nothing = Buffer.alloc(0)

/**
 * Reads files into one piece of memory, until it is freed: a system gives each new page at its first use only, which takes longer than
 * to read one.
 */
const makeReader = () => {
  let space = nothing
  return {
    /** The bytes of a file between others, until the next file is read. */
    read: (path, before = nothing, after = nothing) => {
      const file = openSync(path, "r")
      try {
        const { size } = fstatSync(file)
        const length = before.length + size + after.length
        if (space.length < length) space = Buffer.allocUnsafeSlow(length)
        before.copy(space)
        for (let done = 0; done < size;) {
          const more = readSync(file, space, before.length + done, size - done)
          if (more === 0) throw new Error(`${path} has become shorter while it was read`)
          done += more
        }
        after.copy(space, before.length + size)
        return space.subarray(0, length)
      } finally {
        closeSync(file)
      }
    },
    free: () => {
      space = nothing
    }
  }
}

/** Bytes before the compiled code: the check sums of the source and of the code. V8 checks neither, and runs what it is given. */
const head = 8

/** What was compiled of a source; undefined if that is not there, is of another source, or was damaged. */
const readCompiled = (reader, path, sum) => {
  try {
    const bytes = reader.read(path)
    const data = bytes.subarray(head)
    return bytes.readUInt32LE(0) === sum && bytes.readUInt32LE(4) === crc32(data) ? data : undefined
  } catch {
    return undefined
  }
}

const write = (path, sum, data) => {
  const bytes = Buffer.alloc(head)
  bytes.writeUInt32LE(sum, 0)
  bytes.writeUInt32LE(crc32(data), 4)
  const unfinished = `${path}.${process.pid}`
  try {
    // Another process that starts now reads all of it or nothing.
    writeFileSync(unfinished, Buffer.concat([bytes, data]), { mode: 0o600 })
    renameSync(unfinished, path)
  } catch {
    // The next start compiles again.
  }
}
