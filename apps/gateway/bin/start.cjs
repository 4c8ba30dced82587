"use strict"

const { existsSync, mkdirSync, statSync } = require("node:fs")
const { homedir } = require("node:os")
const { join } = require("node:path")
const { makeLoader } = require("./compiled.cjs")

/** A folder that only this user can write to: what is in it is run. Undefined if there is none, or is to be none. */
const makeCacheDirectory = () => {
  const { LOCALAPPDATA, NODE_DISABLE_COMPILE_CACHE, XDG_CACHE_HOME } = process.env
  if (NODE_DISABLE_COMPILE_CACHE === "1") return undefined
  const given = process.platform === "win32" ? LOCALAPPDATA : XDG_CACHE_HOME
  const base = given || join(homedir(), ".cache")
  const directory = join(base, "secure-mcp-gateway")
  try {
    // One by one: with `recursive`, Node tries for ever where a file system answers that there is no such folder.
    for (const path of [base, directory]) {
      try {
        mkdirSync(path, { mode: 0o700 })
      } catch (error) {
        if (error.code !== "EEXIST") throw error
      }
    }
    if (process.platform === "win32") return directory
    const { mode, uid } = statSync(directory)
    return uid === process.getuid() && (mode & 0o022) === 0 ? directory : undefined
  } catch {
    return undefined
  }
}

const command = join(__dirname, "../dist/secure-mcp-gateway.cjs")

// Only a clone of the repository can be without it.
if (existsSync(command)) {
  const use = ["serve", "stdio"].find((name) => process.argv.includes(name)) ?? "others"
  makeLoader(makeCacheDirectory(), use)(command)
} else {
  process.stderr.write(
    "secure-mcp-gateway is not built here yet: run `npm run build` in the clone of its repository\n"
  )
  process.exitCode = 1
}
